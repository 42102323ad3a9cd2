package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/lib/pq"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// retryStorage is what callers are told to wait for a database that is down.
const retryStorage = 2 * time.Second

// Unavailable turns the failure of the database itself — gone, restarting, out
// of space or of connections — into UNAVAILABLE, and leaves every other error
// as it is. What a failed commit did is unknown: repeat it with the same
// Idempotency-Key.
func Unavailable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, known := errors.AsType[*fault.Error](err); known {
		return err
	}
	switch {
	case full(err):
		return storageFault("the server's storage is full", err)
	case down(err):
		return storageFault("the database is not available", err)
	}
	return err
}

func storageFault(message string, err error) error {
	f := fault.New(fault.Unavailable, "%s: try again", message)
	f.RetryAfter = retryStorage
	return f.Wrap(err)
}

func full(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()&0xff == sqlite3.SQLITE_FULL
	}
	e, ok := errors.AsType[*pq.Error](err)
	return ok && string(e.Code) == "53100"
}

// down tells a lost or refused connection. PostgreSQL's classes are 08
// connection exception, 53 insufficient resources, 57P01 to 57P05 operator
// intervention, 58 system error; a standby that cannot write yet says 25006.
func down(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
			return true
		}
		return false
	}
	if e, ok := errors.AsType[*pq.Error](err); ok {
		code := string(e.Code)
		return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "58") ||
			strings.HasPrefix(code, "57P") || code == "25006"
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Undone reports whether an error of [DB.InTx], or of a statement by itself,
// says for sure that nothing was changed. Of a database that was lost, and of a
// context that has ended, nobody knows.
func Undone(err error) bool {
	return err != nil && fault.CodeOf(Unavailable(err)) != fault.Unavailable &&
		!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
