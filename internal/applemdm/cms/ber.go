package cms

import (
	"errors"
	"math"
)

// Limits of what is read at all. An enrolment message has a few kilobytes and
// nests about a dozen levels deep.
const (
	// MaxSize is the largest message in bytes that is read.
	MaxSize    = 256 << 10
	maxDepth   = 32
	maxKeyBits = 8192
)

var errEncoding = errors.New("cms: not a BER encoding")

// transcode reads one BER object and returns it in definite lengths, as DER
// wants, with what follows it. Depth is bounded since the parser behind it
// recurses as deep as the input says, and a goroutine's stack has an end.
func transcode(ber []byte, depth int) (der, rest []byte, err error) {
	if depth > maxDepth {
		return nil, nil, errors.New("cms: nested too deep")
	}
	if len(ber) < 2 || ber[0]&0x1f == 0x1f { // CMS has no tag beyond 30
		return nil, nil, errEncoding
	}
	tag, constructed := ber[0], ber[0]&0x20 != 0
	length, content, err := readLength(ber[1:])
	if err != nil {
		return nil, nil, err
	}
	if length == indefinite {
		if !constructed {
			return nil, nil, errEncoding
		}
		inner, rest, err := transcodeUntilEnd(content, depth)
		if err != nil {
			return nil, nil, err
		}
		return encode(tag, inner), rest, nil
	}
	if length > len(content) {
		return nil, nil, errEncoding
	}
	content, rest = content[:length], content[length:]
	if !constructed {
		return encode(tag, content), rest, nil
	}
	var inner []byte
	for len(content) > 0 {
		var object []byte
		if object, content, err = transcode(content, depth+1); err != nil {
			return nil, nil, err
		}
		inner = append(inner, object...)
	}
	return encode(tag, inner), rest, nil
}

// transcodeUntilEnd reads objects up to the end-of-contents marker.
func transcodeUntilEnd(ber []byte, depth int) (inner, rest []byte, err error) {
	for {
		if len(ber) >= 2 && ber[0] == 0 && ber[1] == 0 {
			return inner, ber[2:], nil
		}
		var object []byte
		if object, ber, err = transcode(ber, depth+1); err != nil {
			return nil, nil, err
		}
		inner = append(inner, object...)
	}
}

const indefinite = -1

func readLength(b []byte) (length int, rest []byte, err error) {
	first, b := b[0], b[1:]
	if first < 0x80 {
		return int(first), b, nil
	}
	if first == 0x80 {
		return indefinite, b, nil
	}
	n := int(first & 0x7f)
	if n > 4 || n > len(b) {
		return 0, nil, errEncoding
	}
	var long uint64
	for _, c := range b[:n] {
		long = long<<8 | uint64(c)
	}
	if long > math.MaxInt32 {
		return 0, nil, errEncoding
	}
	return int(long), b[n:], nil
}

func encode(tag byte, content []byte) []byte {
	n := len(content)
	out := make([]byte, 0, n+6)
	switch {
	case n < 1<<7:
		out = append(out, tag, byte(n))
	case n < 1<<8:
		out = append(out, tag, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, tag, 0x82, byte(n>>8), byte(n))
	default: // MaxSize is below 1<<24
		out = append(out, tag, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, content...)
}
