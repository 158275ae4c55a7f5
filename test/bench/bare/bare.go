// Package bare is what the kernel takes when nothing is decided: a loop that reads requests from a socket and writes them
// into a file, one that answers requests from a file by sendfile, and one that writes and syncs. Brokers are measured
// against them in the same run, with the same client.
//
// The bench program runs each as a process of its own, on the broker's core. They check nothing and serve nobody else.
package bare

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// Main runs a loop until its standard input ends: "produce DIR ANSWER" with the answer in hexadecimal, "durable DIR ANSWER",
// which syncs each before it answers, "fetch FILE SPEC" or "sync DIR BYTES TIMES". All but the last print the address they
// listen on.
func Main(args []string, in io.Reader, out io.Writer) error {
	switch {
	case len(args) == 3 && (args[0] == "produce" || args[0] == "durable"):
		answer, err := hex.DecodeString(args[2])
		if err != nil {
			return err
		}
		return serve(in, out, produce(args[1], answer, args[0] == "durable"))
	case len(args) == 3 && args[0] == "fetch":
		return fetch(args[1], args[2], in, out)
	case len(args) == 4 && args[0] == "sync":
		return syncs(args[1], args[2], args[3], out)
	}
	return fmt.Errorf("no such loop: %q", args)
}

// serve accepts connections and gives each to a goroutine of its own.
func serve(in io.Reader, out io.Writer, handle func(*net.TCPConn) error) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.Addr())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = handle(c.(*net.TCPConn)) // the client sees its connection end
			}()
		}
	}()
	_, err = io.Copy(io.Discard, in)
	return err
}

// produce writes each connection's frames into a file of its own and answers each with the same bytes.
func produce(dir string, answer []byte, durable bool) func(*net.TCPConn) error {
	var files atomic.Int64
	return func(c *net.TCPConn) error {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(files.Add(1))))
		if err != nil {
			return err
		}
		defer f.Close()
		r, at := bufio.NewReaderSize(c, 16<<10), int64(0)
		var size [4]byte
		buf := make([]byte, 1<<20)
		for {
			if _, err := io.ReadFull(r, size[:]); err != nil {
				return err
			}
			n := int(binary.BigEndian.Uint32(size[:]))
			if n > len(buf) {
				return fmt.Errorf("a frame of %d bytes", n)
			}
			if _, err := io.ReadFull(r, buf[:n]); err != nil {
				return err
			}
			if _, err := f.WriteAt(buf[:n], at); err != nil {
				return err
			}
			at += int64(n)
			if durable {
				if err := syscall.Fdatasync(int(f.Fd())); err != nil {
					return err
				}
			}
			if _, err := c.Write(answer); err != nil {
				return err
			}
		}
	}
}

// sendBuffer is what both brokers set for their sockets (socket.send.buffer.bytes).
const sendBuffer = 100 << 10

// fetch answers each request with a head and as much of a file as was asked for, by sendfile. The file's batches are all
// of one length and hold the same number of records, which spec says, with where in a request offset and bytes stand and
// where in the head the two lengths: "batch records offsetAt bytesAt", and the head's file.
func fetch(path, spec string, in io.Reader, out io.Writer) error {
	var batch, records, offsetAt, bytesAt int
	if _, err := fmt.Sscan(spec, &batch, &records, &offsetAt, &bytesAt); err != nil {
		return err
	}
	head, err := os.ReadFile(path + ".head")
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return serve(in, out, func(c *net.TCPConn) error {
		if err := c.SetWriteBuffer(sendBuffer); err != nil {
			return err
		}
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		r, head := bufio.NewReaderSize(c, 4<<10), slices.Clone(head)
		var size [4]byte
		req := make([]byte, 4<<10)
		for {
			if _, err := io.ReadFull(r, size[:]); err != nil {
				return err
			}
			n := int(binary.BigEndian.Uint32(size[:]))
			if n > len(req) {
				return fmt.Errorf("a request of %d bytes", n)
			}
			if _, err := io.ReadFull(r, req[:n]); err != nil {
				return err
			}
			pos := int64(binary.BigEndian.Uint64(req[offsetAt-4:])) / int64(records) * int64(batch)
			most := int64(binary.BigEndian.Uint32(req[bytesAt-4:])) / int64(batch) * int64(batch)
			most = max(min(most, info.Size()-pos), 0)
			binary.BigEndian.PutUint32(head, uint32(int64(len(head)-4)+most))
			binary.BigEndian.PutUint32(head[len(head)-4:], uint32(most))
			if err := send(raw, head, f, pos, int(most)); err != nil {
				return err
			}
		}
	})
}

// msgMore tells the kernel that more comes with this.
const msgMore = 0x8000

// send writes the head and a range of the file.
func send(raw syscall.RawConn, head []byte, f *os.File, pos int64, n int) error {
	var failed error
	err := raw.Write(func(sock uintptr) bool {
		for len(head) > 0 {
			k, err := syscall.SendmsgN(int(sock), head, nil, nil, msgMore)
			if failed = err; err != nil {
				return err != syscall.EAGAIN
			}
			head = head[k:]
		}
		for n > 0 {
			k, err := syscall.Sendfile(int(sock), int(f.Fd()), &pos, n)
			if failed = err; err != nil {
				return err != syscall.EAGAIN
			}
			n -= k
		}
		return true
	})
	if err != nil {
		return err
	}
	return failed
}

// syncs appends and syncs, and prints how long each pair took in nanoseconds, a line each.
func syncs(dir, bytes, times string, out io.Writer) error {
	var size, n int
	if _, err := fmt.Sscan(bytes+" "+times, &size, &n); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "synced"))
	if err != nil {
		return err
	}
	defer f.Close()
	data, took := make([]byte, size), make([]time.Duration, n)
	for i := range took {
		begin := time.Now()
		if _, err := f.WriteAt(data, int64(i*size)); err != nil {
			return err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return err
		}
		took[i] = time.Since(begin)
	}
	for _, t := range took {
		fmt.Fprintln(out, int64(t))
	}
	return nil
}
