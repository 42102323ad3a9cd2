package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/lib/pq"
)

// Codes that stand in place of a protocol version in a first message.
const (
	sslRequest    = 80877103
	gssEncRequest = 80877104
)

var errTruncated = errors.New("truncated message")

// session is one connection, read from the client's side.
type session struct {
	proxy          *Proxy
	client, server net.Conn
	prepared       map[string]string
	role, scope    string
}

func (s *session) run() error {
	in := bufio.NewReader(s.client)
	out := bufio.NewWriter(s.server)
	if err := s.start(in); err != nil {
		return err
	}
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return err
		}
		n, err := readLength(in)
		if err != nil {
			return err
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		if err := s.note(kind, body); err != nil {
			return err
		}
		if err := send(out, kind, body); err != nil {
			return err
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

// start passes the first message on, and declines encryption.
func (s *session) start(in io.Reader) error {
	for {
		n, err := readLength(in)
		if err != nil {
			return err
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		if n == 4 {
			if code := binary.BigEndian.Uint32(body); code == sslRequest || code == gssEncRequest {
				if _, err := s.client.Write([]byte{'N'}); err != nil {
					return err
				}
				continue
			}
		}
		first := binary.BigEndian.AppendUint32(nil, uint32(n+4))
		_, err = s.server.Write(append(first, body...))
		return err
	}
}

func send(out *bufio.Writer, kind byte, body []byte) error {
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	if _, err := out.Write(head); err != nil {
		return err
	}
	_, err := out.Write(body)
	return err
}

// note keeps a statement: of a simple query, or of one that is bound.
func (s *session) note(kind byte, body []byte) error {
	switch kind {
	case 'Q':
		sql, _, ok := text(body)
		if !ok {
			return errTruncated
		}
		s.keep(Statement{SQL: sql})
	case 'P':
		name, rest, ok := text(body)
		sql, _, also := text(rest)
		if !ok || !also {
			return errTruncated
		}
		s.prepared[name] = sql
	case 'B':
		_, rest, ok := text(body)
		name, rest, also := text(rest)
		if !ok || !also {
			return errTruncated
		}
		params, err := parameters(rest)
		if err != nil {
			return err
		}
		s.keep(Statement{SQL: s.prepared[name], Params: params})
	}
	return nil
}

func (s *session) keep(statement Statement) {
	if strings.HasPrefix(statement.SQL, "SET ROLE ") {
		s.role = statement.SQL
	}
	if strings.Contains(statement.SQL, "set_config(") {
		s.scope = literal(statement)
	}
	statement.Role, statement.Scope = s.role, s.scope
	s.proxy.mu.Lock()
	defer s.proxy.mu.Unlock()
	s.proxy.seen = append(s.proxy.seen, statement)
}

// literal is a statement with its parameters, which are texts, written out.
func literal(statement Statement) string {
	var values []string
	for i := len(statement.Params); i > 0; i-- { // $1 is the beginning of $10
		values = append(values, "$"+strconv.Itoa(i), pq.QuoteLiteral(string(statement.Params[i-1].Data)))
	}
	return strings.NewReplacer(values...).Replace(statement.SQL)
}

// text reads up to a zero byte.
func text(body []byte) (value string, rest []byte, ok bool) {
	before, rest, ok := bytes.Cut(body, []byte{0})
	return string(before), rest, ok
}

// parameters reads the part of a Bind message from the formats on.
func parameters(body []byte) ([]Param, error) {
	formats, body, err := int16s(body)
	if err != nil {
		return nil, err
	}
	if len(body) < 2 {
		return nil, errTruncated
	}
	params := make([]Param, binary.BigEndian.Uint16(body))
	body = body[2:]
	for i := range params {
		if len(body) < 4 {
			return nil, errTruncated
		}
		n := int(int32(binary.BigEndian.Uint32(body)))
		body = body[4:]
		p := &params[i]
		switch len(formats) {
		case 0:
		case 1:
			p.Binary = formats[0] == 1
		default:
			p.Binary = i < len(formats) && formats[i] == 1
		}
		if n < 0 {
			p.Null = true
			continue
		}
		if len(body) < n {
			return nil, errTruncated
		}
		p.Data, body = bytes.Clone(body[:n]), body[n:]
	}
	return params, nil
}

func int16s(body []byte) (list []int16, rest []byte, err error) {
	if len(body) < 2 {
		return nil, nil, errTruncated
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	if len(body) < 2*n {
		return nil, nil, errTruncated
	}
	for i := range n {
		list = append(list, int16(binary.BigEndian.Uint16(body[2*i:])))
	}
	return list, body[2*n:], nil
}
