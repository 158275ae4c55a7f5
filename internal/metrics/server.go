package metrics

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// Server is the Handler on an address of its own.
type Server struct {
	http  http.Server
	bound net.Listener
	done  chan struct{} // closed when its goroutine is over
}

// Serve binds an address, host:port, and serves the Handler there until Close.
func (m *Metrics) Serve(addr string) (*Server, error) {
	bound, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{bound: bound, done: make(chan struct{})}
	s.http = http.Server{
		Handler: mortal(m.Handler()), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(bound) // ends with Close
	}()
	return s, nil
}

// mortal lets a bug end the process, as everywhere else. net/http would go on, with whatever lock the bug has left.
func mortal(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if bug := recover(); bug != nil {
				text := fmt.Sprintf("%v\n\n%s", bug, debug.Stack())
				go panic(text)
				select {}
			}
		}()
		h.ServeHTTP(w, r)
	})
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.bound.Addr() }

// closeTime bounds how long an answer that is being written may take when the process ends.
const closeTime = 2 * time.Second

// Close stops listening and returns when nothing is served any more.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	<-s.done
}
