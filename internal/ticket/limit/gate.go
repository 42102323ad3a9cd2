package limit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/tenancy"
)

// crowded is how soon a call that found no free place is to be tried again.
const crowded = 2 * time.Second

// Account is whose calls a gate admits.
type Account struct {
	Kind     psa.Kind
	Provider string
	Name     string // at the vendor, as an integration keeps it
	BaseURL  string // where it is called, if not at the vendor's own address
}

// key names the limit that the account's calls count against. Providers share
// none, lest one use up or pause another's, except where the vendor counts by
// source address.
func (a Account) key() string {
	switch a.Kind {
	case psa.Syncro:
		if a.BaseURL == "" {
			return "SYNCRO"
		}
		return "SYNCRO|" + digest(a.BaseURL)
	case psa.Autotask:
		// The users of a database have one domain, and share its limit.
		_, domain, _ := strings.Cut(strings.ToLower(a.Name), "@")
		return string(a.Kind) + "|" + digest(a.Provider, cmp.Or(domain, a.Name))
	default:
		return string(a.Kind) + "|" + digest(a.Provider, strings.ToLower(a.BaseURL), strings.ToLower(a.Name))
	}
}

// tenant is who shares the limit with others: an account where all accounts do,
// else an organization of the account's provider.
func (a Account) tenant(ctx context.Context) string {
	if a.Kind == psa.Syncro {
		return digest(a.Provider, a.Name)
	}
	scope, err := tenancy.From(ctx)
	if err != nil {
		return a.Provider
	}
	if organization, one := scope.Organization(); one {
		return organization
	}
	return a.Provider
}

// digest shortens what may be long or nobody's business.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Gate stands before an account's calls. It is safe for concurrent use.
type Gate struct {
	limiter *Limiter
	account Account
	key     string
	policy  Policy
	limited bool
}

var _ psa.Gate = (*Gate)(nil)

// Gate returns the gate of an account. One whose kind has no policy admits
// every call.
func (l *Limiter) Gate(a Account) *Gate {
	policy, limited := l.config.Policies[a.Kind]
	return &Gate{limiter: l, account: a, key: a.key(), policy: policy, limited: limited}
}

// Key names the limit, which other accounts may share.
func (g *Gate) Key() string { return g.key }

// Enter implements psa.Gate.
func (g *Gate) Enter(ctx context.Context, c psa.Call) (leave func(), err error) {
	leave = func() {}
	if !g.limited || c.Free {
		return leave, nil
	}
	if g.policy.Threads > 0 {
		var free bool
		leave, free, err = g.limiter.hold(ctx, g.key+"|"+objectOf(c.Path), g.policy)
		if err != nil {
			return nil, err
		}
		if !free {
			return nil, &psa.Error{Class: psa.Throttled, RetryAfter: crowded, Err: errors.New("as many calls are under way as the account allows")}
		}
	}
	wait, stale, err := g.limiter.take(ctx, g.key, g.account.tenant(ctx), g.policy)
	if err == nil && wait > 0 {
		err = &psa.Error{Class: psa.Throttled, RetryAfter: wait, Err: errors.New("the account's calls are used up, or paused")}
	}
	if err != nil {
		leave()
		return nil, err
	}
	if stale {
		g.limiter.stale.Store(g.key, nil)
	}
	return leave, nil
}

// objectOf is the kind of object that a path is about: "Tickets" of
// "/Tickets/1/Notes". Autotask counts threads for each kind, and does not say
// whether a ticket's notes are one: here they are not.
func objectOf(path string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return psa.FitLine(kind, 32)
}

// Refused implements psa.Gate: nobody calls for as long as the vendor wishes.
func (g *Gate) Refused(ctx context.Context, e *psa.Error) {
	if !g.limited {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer cancel()
	pause := min(cmp.Or(e.RetryAfter, g.policy.Pause), g.policy.MaxPause)
	g.limiter.config.Logger.WarnContext(ctx, "a vendor wants no calls for a while", "limit", g.key, "pause", pause, "says", e.Vendor)
	if err := g.limiter.pause(ctx, g.key, pause); err != nil {
		g.limiter.config.Logger.WarnContext(ctx, "keep the pause that a vendor wants", "limit", g.key, "error", err)
	}
}

// Wait is how long a call of the context's tenant would have to wait; 0 if it
// would be admitted now. Whoever has many calls to make asks first.
func (g *Gate) Wait(ctx context.Context) (time.Duration, error) {
	if !g.limited {
		return 0, nil
	}
	return g.limiter.ask(ctx, g.key, g.account.tenant(ctx), g.policy)
}

// Closed reports whether nobody's calls would be admitted now.
func (g *Gate) Closed(ctx context.Context) (bool, error) {
	if !g.limited {
		return false, nil
	}
	// A tenant that has called never is below every fair share.
	wait, err := g.limiter.ask(ctx, g.key, "", g.policy)
	return wait > 0, err
}
