package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// dialError is a connection that could not be made.
type dialError struct {
	addr string
	seed bool // the user named the address; otherwise a broker advertises it
	err  error
}

// Error returns the cause's text.
func (d *dialError) Error() string { return "connect to " + d.addr + ": " + d.err.Error() }

// Unwrap returns the cause.
func (d *dialError) Unwrap() error { return d.err }

// seeds reads the addresses of --bootstrap-server; a missing port is 9092.
func (a *app) seeds() ([]string, error) {
	var out []string
	for _, s := range strings.Split(a.flags.brokers, ",") {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(s); err != nil {
			if s = net.JoinHostPort(strings.Trim(s, "[]"), "9092"); strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "[") {
				return nil, usage("--bootstrap-server %q is not host:port", a.flags.brokers)
			}
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, usage("--bootstrap-server is empty")
	}
	return out, nil
}

// client makes a client without connecting.
func (a *app) client(opts ...kgo.Opt) (*kgo.Client, error) {
	seeds, err := a.seeds()
	if err != nil {
		return nil, err
	}
	all := []kgo.Opt{
		kgo.SeedBrokers(seeds...), kgo.ClientID("milena-cli"), kgo.SoftwareNameAndVersion("milena-cli", readBuild().Version),
		kgo.DisableClientMetrics(), kgo.RetryTimeout(a.flags.timeout), kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.RetryBackoffFn(backoff),
		kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			share := 4 // where one address is silent there is time left for others
			seed := slices.Contains(seeds, addr)
			if seed {
				share = min(share, len(seeds))
			}
			dialer := net.Dialer{Timeout: min(a.flags.timeout/time.Duration(share), 10*time.Second)}
			conn, err := dialer.DialContext(ctx, network, addr)
			if err == nil || ctx.Err() != nil {
				return conn, err
			}
			d := &dialError{addr: addr, seed: seed, err: err}
			a.mu.Lock()
			a.dial = d
			a.mu.Unlock()
			return nil, d
		}),
	}
	if a.flags.verbose > 0 {
		level := kgo.LogLevelInfo
		if a.flags.verbose > 1 {
			level = kgo.LogLevelDebug
		}
		all = append(all, kgo.WithLogger(kgo.BasicLogger(a.Err, level, nil)))
	}
	c, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		return nil, usage("%v", err)
	}
	return c, nil
}

// backoff is how long the client waits before it asks again: somebody waits for the answer.
func backoff(fails int) time.Duration {
	return min(time.Duration(fails)*50*time.Millisecond, time.Second)
}

// connect makes a client and asks a broker something, so that an address that nobody answers is told at once and by its
// name, before retries hide it.
func (a *app) connect(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	c, err := a.client(opts...)
	if err != nil {
		return nil, err
	}
	ping, cancel := context.WithTimeout(ctx, a.flags.timeout)
	defer cancel()
	if err := c.Ping(ping); err != nil {
		c.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, a.unreachable(err)
	}
	return c, nil
}

// admin runs f with a client for administration, within --timeout.
func (a *app) admin(ctx context.Context, f func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	within, cancel := context.WithTimeout(ctx, a.flags.timeout)
	defer cancel()
	adm := kadm.NewClient(c)
	adm.SetTimeoutMillis(int32(min(a.flags.timeout, time.Minute).Milliseconds()))
	err = f(within, c, adm)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if stuck(err) {
		if why := withoutQuorum(ctx, c); why != nil {
			return noQuorum(why)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return a.late(err)
	}
	return err
}

// stuck reports whether an error is no broker's word on what was asked: time is over, there or here, or a broker was not reached.
func stuck(err error) bool {
	var d *dialError
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kerr.RequestTimedOut) || errors.Is(err, errNoController) || errors.As(err, &d)
}

// late tells a request that got no answer in time, by the connection that could not be made when there was one.
func (a *app) late(err error) error {
	a.mu.Lock()
	dial := a.dial
	a.mu.Unlock()
	if dial != nil {
		return a.unreachable(dial)
	}
	f := &failure{exit: exitUnreachable, code: "REQUEST_TIMED_OUT", cause: err, message: fmt.Sprintf("no answer from %s within %s", a.flags.brokers, duration(a.flags.timeout))}
	return f.try("milena ready tells whether a controller leads; --timeout waits longer")
}
