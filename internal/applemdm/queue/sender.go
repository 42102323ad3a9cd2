package queue

import (
	"time"

	"github.com/bailiwick/bailiwick/ent"
)

// Sender is who stands behind a device's message.
type Sender struct {
	Fingerprint string // of a certificate that the organization trusts
	// SignedAt is when the message was signed, by the device's clock. It is zero if
	// it is not signed, and came over a connection that the certificate vouches for.
	SignedAt time.Time
}

// resend is how long a message may be on its way: a device whose connection
// broke sends what it has signed once more.
const resend = 5 * time.Minute

// Signed is when the latest of a channel's messages was signed, this one among
// them: in seconds since 1970, by the device's clock. A clock that is ahead counts
// as right, or it could never be put right again.
func (s Sender) Signed(c *ent.DeviceChannel, now time.Time) int64 {
	if s.SignedAt.IsZero() {
		return c.SignedSecond
	}
	return max(c.SignedSecond, min(s.SignedAt.Unix(), now.Unix()))
}

// replayed reports whether a message is of the past, by the device's clock, which
// may be wrong: signed well before one that has come since, or no later than that
// one, which came long ago. The protocol has nothing else that tells a message
// from its copy, and two of one second are equal.
func (s Sender) replayed(c *ent.DeviceChannel, now time.Time) bool {
	if s.SignedAt.IsZero() || c.SignedSecond == 0 || c.LastSeenAt == nil {
		return false
	}
	last := time.Unix(c.SignedSecond, 0)
	if now.Sub(*c.LastSeenAt) <= resend+seenEvery {
		return s.SignedAt.Before(last.Add(-resend))
	}
	return !s.SignedAt.After(last.Add(seenEvery)) // until which nothing was written of what it said after
}
