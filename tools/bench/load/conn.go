// Package load asks a server for the same things over and over, on a fixed
// number of connections, each of which waits for its answer before it asks
// again. It costs little itself, since it shares the machine with the server:
// requests are laid out as bytes beforehand, and answers are not decoded.
package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxBody bounds an answer, in bytes.
const maxBody = 16 << 20

// Conn is one HTTP/1.1 connection. It is for one goroutine.
type Conn struct {
	addr   string
	conn   net.Conn
	reader *bufio.Reader
	body   bytes.Buffer
	used   time.Time // when it was opened, or last sent a request
}

// maxSilence is how long a connection may be silent and still be used. Servers
// close those that are silent for longer: ours, after ten seconds without a
// first request.
const maxSilence = 5 * time.Second

// Dial connects to a server.
func Dial(ctx context.Context, addr string) (*Conn, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{addr: addr, conn: conn, reader: bufio.NewReaderSize(conn, 64<<10), used: time.Now()}, nil
}

// wake connects anew after a long silence.
func (c *Conn) wake(ctx context.Context) error {
	if time.Since(c.used) < maxSilence {
		return nil
	}
	fresh, err := Dial(ctx, c.addr)
	if err != nil {
		return err
	}
	_ = c.conn.Close() // the server may have closed it
	*c = *fresh
	return nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// Do sends a request as it is and returns the answer's status and body, which
// is valid until the next call.
func (c *Conn) Do(request []byte, timeout time.Duration) (status int, body []byte, err error) {
	c.used = time.Now()
	if err := c.conn.SetDeadline(c.used.Add(timeout)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	status, length, err := c.head()
	if err != nil {
		return 0, nil, err
	}
	c.body.Reset()
	if length >= 0 {
		_, err = io.CopyN(&c.body, c.reader, length)
	} else {
		err = c.chunks()
	}
	return status, c.body.Bytes(), err
}

// head reads the status and the headers; a length of -1 stands for chunks.
func (c *Conn) head() (status int, length int64, err error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, 0, fmt.Errorf("status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, fmt.Errorf("status line %q", line)
	}
	length = -1
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return status, length, nil
		}
		const name = "Content-Length:"
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			length, err = strconv.ParseInt(string(bytes.TrimSpace(line[len(name):])), 10, 64)
			if err != nil || length > maxBody {
				return 0, 0, fmt.Errorf("header %q", line)
			}
		}
	}
}

func (c *Conn) chunks() error {
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return fmt.Errorf("chunk %q", line)
		}
		if int64(c.body.Len())+size > maxBody {
			return errors.New("answer too large")
		}
		if _, err := io.CopyN(&c.body, c.reader, size); err != nil {
			return err
		}
		if _, err := c.reader.Discard(len("\r\n")); err != nil || size == 0 {
			return err
		}
	}
}

// Get lays a GET request out.
func Get(host, path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host)
}

// Post lays a POST request with a JSON body out.
func Post(host, path string, header http.Header, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, host, len(body))
	_ = header.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}
