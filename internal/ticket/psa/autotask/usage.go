package autotask

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

var _ psa.Meter = (*Client)(nil)

// Usage implements psa.Meter. Autotask slows every call down from half of the
// threshold on, and switches the API off for everybody beyond it.
func (c *Client) Usage(ctx context.Context) (psa.Usage, error) {
	var out struct {
		Threshold int `json:"externalRequestThreshold"`
		Minutes   int `json:"requestThresholdTimeframe"`
		Used      int `json:"currentTimeframeRequestCount"`
		failed
	}
	call := psa.Call{Op: "read request threshold", Method: http.MethodGet, Path: "/ThresholdInformation"}
	if err := c.do(ctx, call, &out); err != nil {
		return psa.Usage{}, err
	}
	if out.Threshold < 1 || out.Minutes < 1 || out.Minutes > 7*24*60 || out.Used < 0 {
		return psa.Usage{}, c.discovery.Meaningless(call, out.text(), errors.New("answer holds no threshold"))
	}
	return psa.Usage{Threshold: out.Threshold, Used: out.Used, Window: time.Duration(out.Minutes) * time.Minute}, nil
}
