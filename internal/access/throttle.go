package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entgo.io/ent/dialect/sql"

	"github.com/bailiwick/bailiwick/ent/signinthrottle"
	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/internal/fault"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tenancy"
)

// throttleWindow is how long attempts are remembered from the first of them.
const throttleWindow = time.Hour

// maxBlock bounds how long one more attempt can be put off.
const maxBlock = 15 * time.Minute

// throttle slows guessing down, over all replicas. An attempt is counted before
// it is judged, so that many at once are not judged as one, and taken back when
// it turns out right.
//
// An account is counted from each address apart, so that a stranger's guesses
// do not keep its owner out, and over all addresses with a far higher limit,
// from which addresses are exempt where the owner signed in before.
type throttle struct {
	db    *database.DB
	clock func() time.Time
}

// limit is how many failures within the window go free, and how long the first
// one beyond them blocks; each further one blocks for twice as long.
type limit struct {
	subject string
	free    int
	block   time.Duration
}

// attempt is what one sign-in is counted as.
type attempt struct{ pair, account, address, factor limit }

func attemptOf(email, address string) attempt {
	return attempt{
		pair:    limit{subject("pair", email, address), 5, 15 * time.Second},
		account: limit{subject("account", email), 50, time.Minute},
		address: limit{subject("address", address), 100, time.Minute},
		// Who owes a second factor knows the password: only they could keep the
		// owner out with it, so it is counted over all addresses.
		factor: limit{subject("factor", email), 5, 15 * time.Second},
	}
}

// subject hides e-mail addresses, which need not belong to any account, from
// whoever reads the table.
func subject(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write(binary.AppendUvarint(nil, uint64(len(part))))
		hash.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

// password is what trying a password counts against.
func (a attempt) password(familiar bool) []limit {
	if familiar {
		return []limit{a.pair, a.address}
	}
	return []limit{a.pair, a.account, a.address}
}

// code is what trying a second factor counts against.
func (a attempt) code() []limit { return []limit{a.factor, a.address} }

func throttleContext(ctx context.Context) context.Context {
	return tenancy.System(database.Detached(ctx), "count sign-ins before the account is known")
}

// admit counts an attempt, or answers RATE_LIMITED while one of its limits blocks.
func (t throttle) admit(ctx context.Context, limits ...limit) error {
	// In one order, so that attempts wait for each other and do not deadlock.
	slices.SortFunc(limits, func(a, b limit) int { return strings.Compare(a.subject, b.subject) })
	now := t.clock().UTC().Truncate(time.Microsecond)
	return t.db.InTx(throttleContext(ctx), func(ctx context.Context) error {
		for _, l := range limits {
			if err := t.count(ctx, l, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// touch writes as much as the record of a failure does, and changes nothing.
func (t throttle) touch(ctx context.Context, l limit) error {
	return t.db.InTx(throttleContext(ctx), func(ctx context.Context) error {
		return t.db.Client().SignInThrottle.Update().Where(signinthrottle.Subject(l.subject)).AddFailures(0).Exec(ctx)
	})
}

func (t throttle) count(ctx context.Context, l limit, now time.Time) error {
	client := t.db.Client()
	if err := t.ensure(ctx, l.subject, now); err != nil {
		return err
	}
	row, err := client.SignInThrottle.Query().
		Where(signinthrottle.Subject(l.subject), database.ForUpdate).Only(ctx)
	if err != nil {
		return fmt.Errorf("read throttle: %w", err)
	}
	if err := blocked(row.BlockedUntil, now); err != nil {
		return err
	}
	failures, begun := row.Failures+1, row.WindowStartedAt
	if now.Sub(begun) >= throttleWindow {
		failures, begun = 1, now
	}
	update := client.SignInThrottle.UpdateOneID(row.ID).SetFailures(failures).SetWindowStartedAt(begun)
	if over := failures - l.free; over >= 0 {
		update.SetBlockedUntil(now.Add(min(l.block<<min(over, 16), maxBlock)))
	} else {
		update.ClearBlockedUntil()
	}
	if err := update.Exec(ctx); err != nil {
		return fmt.Errorf("count attempt: %w", err)
	}
	return nil
}

// ensure creates the row unless it is there: without an error if another
// attempt is creating it, since that would end the transaction.
func (t throttle) ensure(ctx context.Context, subject string, now time.Time) error {
	query, args := sql.Dialect(t.db.Dialect()).Insert(signinthrottle.Table).
		Columns(signinthrottle.FieldID, signinthrottle.FieldCreatedAt, signinthrottle.FieldUpdatedAt,
			signinthrottle.FieldSubject, signinthrottle.FieldFailures, signinthrottle.FieldWindowStartedAt).
		Values(schema.NewID("thr")(), now, now, subject, 0, now).
		OnConflict(sql.ConflictColumns(signinthrottle.FieldSubject), sql.DoNothing()).Query()
	if err := t.db.Driver().Exec(ctx, query, args, nil); err != nil {
		return fmt.Errorf("begin counting attempts: %w", err)
	}
	return nil
}

// forget takes all of an account's attempts back once its owner is in.
func (t throttle) forget(ctx context.Context, a attempt) error {
	return t.db.InTx(throttleContext(ctx), func(ctx context.Context) error {
		return errors.Join(t.clear(ctx, a.pair, a.account, a.factor), t.uncount(ctx, a.address))
	})
}

// passed takes the attempt back whose password was right, when a second factor
// is still owed.
func (t throttle) passed(ctx context.Context, a attempt) error {
	return t.db.InTx(throttleContext(ctx), func(ctx context.Context) error {
		return errors.Join(t.clear(ctx, a.pair), t.uncount(ctx, a.account), t.uncount(ctx, a.address))
	})
}

func (t throttle) clear(ctx context.Context, limits ...limit) error {
	for _, l := range limits {
		if _, err := t.db.Client().SignInThrottle.Delete().Where(signinthrottle.Subject(l.subject)).Exec(ctx); err != nil {
			return fmt.Errorf("forget attempts: %w", err)
		}
	}
	return nil
}

// uncount takes one attempt back, and with it the block that it caused, unless
// others caused it too: or else one account of a guesser's own would free the
// address for guesses at others'.
func (t throttle) uncount(ctx context.Context, l limit) error {
	client := t.db.Client()
	_, err := client.SignInThrottle.Update().
		Where(signinthrottle.Subject(l.subject), signinthrottle.FailuresLTE(l.free)).ClearBlockedUntil().Save(ctx)
	if err == nil {
		_, err = client.SignInThrottle.Update().
			Where(signinthrottle.Subject(l.subject), signinthrottle.FailuresGT(0)).AddFailures(-1).Save(ctx)
	}
	if err != nil {
		return fmt.Errorf("take attempt back: %w", err)
	}
	return nil
}

// sweep deletes counts that no longer matter.
func (t throttle) sweep(ctx context.Context) error {
	_, err := t.db.Client().SignInThrottle.Delete().
		Where(signinthrottle.UpdatedAtLT(t.clock().Add(-throttleWindow - maxBlock))).Exec(throttleContext(ctx))
	return err
}

func blocked(until *time.Time, now time.Time) error {
	if until == nil || !now.Before(*until) {
		return nil
	}
	return fault.Throttled(until.Sub(now), "too many attempts; try again later")
}
