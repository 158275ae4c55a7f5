package cli

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// remoteState is what a running `dev` leaves for `dev kill` and its like: where it listens for them, and the word that it wants to hear.
// The file is its user's alone.
type remoteState struct {
	Addr  string `json:"addr"`
	Token string `json:"token"`
	Pid   int    `json:"pid"`
}

// remote is the ear of a running `dev`.
type remote struct {
	server *http.Server
	file   string
}

// remoteFile is where the state of the `dev` is whose first node has a port.
func remoteFile(port int) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir() // nobody's home
	}
	dir := filepath.Join(base, "milena")
	return filepath.Join(dir, fmt.Sprintf("dev-%d.json", port)), os.MkdirAll(dir, 0o700)
}

// remoteControl listens for commands on nodes.
func (a *app) remoteControl(c DevCluster, port int) (*remote, error) {
	file, err := remoteFile(port)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := remoteState{Addr: l.Addr().String(), Token: rand.Text(), Pid: os.Getpid()}
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	r := &remote{server: &http.Server{Handler: a.hear(c, s.Token), ReadHeaderTimeout: 5 * time.Second}, file: file}
	go func() { _ = r.server.Serve(l) }() // until close
	return r, nil
}

func (r *remote) close() {
	_ = r.server.Close()
	_ = os.Remove(r.file)
}

// hear carries out what it is told by who knows the token.
func (a *app) hear(c DevCluster, token string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{verb}/{node}", func(w http.ResponseWriter, r *http.Request) {
		said := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(said), []byte(token)) != 1 {
			http.Error(w, "another dev runs there", http.StatusForbidden)
			return
		}
		node, err := strconv.Atoi(r.PathValue("node"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		begun := time.Now()
		var done string
		switch r.PathValue("verb") {
		case "kill":
			done, err = "killed", c.Kill(node)
		case "stop":
			done, err = "stopped", c.Stop(node)
		case "start":
			done, err = "started", c.Start(r.Context(), node)
		default:
			http.NotFound(w, r)
			return
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		words := fmt.Sprintf("node %d %s in %s", node, done, duration(time.Since(begun).Round(time.Millisecond)))
		a.note("%s  %s", time.Now().Format(time.TimeOnly), words)
		_, _ = io.WriteString(w, words)
	})
	return mux
}

// devNode is a command on a node of a running `dev`.
func (a *app) devNode(verb, short string) *cobra.Command {
	var port int
	c := a.command(spec{
		use: verb + " NODE", short: short, args: oneName("node"),
		run: func(ctx context.Context, args []string) error {
			if n, err := strconv.Atoi(args[0]); err != nil || n < 1 {
				return usage("%q is no number of a node", args[0])
			}
			words, err := tell(ctx, port, verb, args[0])
			if err != nil {
				return err
			}
			return a.line("%s", words)
		},
	})
	c.Flags().IntVar(&port, "port", 9092, "`port` of the first node of the cluster")
	return c
}

// tell has a running `dev` do something, and returns its answer.
func tell(ctx context.Context, port int, verb, node string) (string, error) {
	none := failed("NO_DEV", "no milena dev runs with its first node at port %d", port).try("milena dev -n 3 starts one; --port names another")
	file, err := remoteFile(port)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(file)
	var s remoteState
	if err != nil || json.Unmarshal(text, &s) != nil {
		return "", none
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.Addr+"/"+verb+"/"+node, nil)
	if err != nil {
		return "", none
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return "", none // it ended without tidying up
	}
	defer resp.Body.Close()
	words, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", failed("REFUSED", "%s", strings.TrimPrefix(strings.TrimSpace(string(words)), "milena: "))
	}
	return string(words), nil
}
