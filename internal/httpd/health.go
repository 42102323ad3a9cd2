package httpd

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// readyTimeout bounds each check, so that a hanging dependency reads as not ready.
const readyTimeout = 3 * time.Second

// ready answers 200 when every check passes, else 503, with a line for each.
func ready(checks []Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		var text strings.Builder
		for _, c := range checks {
			ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
			err := c.Run(ctx)
			cancel()
			if err != nil {
				status = http.StatusServiceUnavailable
				fmt.Fprintf(&text, "%s: not ready\n", c.Name)
				continue
			}
			fmt.Fprintf(&text, "%s: ok\n", c.Name)
		}
		answer(w, status, text.String())
	})
}
