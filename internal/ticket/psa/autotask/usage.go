package autotask

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// Usage is how much of its requests an Autotask database has used, over all
// vendors. Autotask slows every call down from half of the threshold on, and
// switches the API off for everybody beyond it.
type Usage struct {
	Threshold int           // requests allowed in the window
	Used      int           // requests in the current window, by anyone
	Window    time.Duration // usually an hour
}

// Left is how many requests the window still allows; 0 if none.
func (u Usage) Left() int { return max(u.Threshold-u.Used, 0) }

// Usage reads the account's use of its threshold. The call itself counts.
func (c *Client) Usage(ctx context.Context) (Usage, error) {
	var out struct {
		Threshold int `json:"externalRequestThreshold"`
		Minutes   int `json:"requestThresholdTimeframe"`
		Used      int `json:"currentTimeframeRequestCount"`
		failed
	}
	call := psa.Call{Op: "read request threshold", Method: http.MethodGet, Path: "/ThresholdInformation"}
	if err := c.do(ctx, call, &out); err != nil {
		return Usage{}, err
	}
	if out.Threshold < 1 || out.Minutes < 1 || out.Minutes > 7*24*60 || out.Used < 0 {
		return Usage{}, c.discovery.Meaningless(call, out.text(), errors.New("answer holds no threshold"))
	}
	return Usage{Threshold: out.Threshold, Used: out.Used, Window: time.Duration(out.Minutes) * time.Minute}, nil
}
