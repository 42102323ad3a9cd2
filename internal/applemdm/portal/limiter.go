package portal

import (
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxRemembered is how many addresses are counted at a time.
const maxRemembered = 10_000

// limiter counts the requests of each address. One that has not been heard of
// for long is forgotten, and begins anew.
type limiter struct {
	perSecond rate.Limit
	burst     int
	clock     func() time.Time
	known     *lru.Cache[string, *rate.Limiter]
}

func newLimiter(perSecond, burst int, clock func() time.Time) (*limiter, error) {
	known, err := lru.New[string, *rate.Limiter](maxRemembered)
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	return &limiter{perSecond: rate.Limit(perSecond), burst: burst, clock: clock, known: known}, nil
}

// allows counts a request, and answers whether it is one too many.
func (l *limiter) allows(address string) bool {
	fresh := rate.NewLimiter(l.perSecond, l.burst)
	counter, found, _ := l.known.PeekOrAdd(address, fresh)
	if !found {
		counter = fresh
	}
	l.known.Get(address) // counts as used, so that it is kept
	return counter.AllowN(l.clock(), 1)
}
