package connectwise_test

import (
	"strconv"
	"testing"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
)

// BenchmarkCreate is one ticket over loopback, connection included.
func BenchmarkCreate(b *testing.B) {
	bench := newBench(b, nil)
	client, draft := bench.client(b), bench.draft("")
	n := 0
	for b.Loop() {
		n++
		draft.Marker = psa.Marker("o", "i", strconv.Itoa(n), 1)
		if _, err := client.Create(b.Context(), draft); err != nil {
			b.Fatal(err)
		}
	}
}
