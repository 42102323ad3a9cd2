package syncro_test

import (
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/syncro/standin"
)

// BenchmarkCreate is one ticket over loopback, connection included.
func BenchmarkCreate(b *testing.B) {
	server, err := standin.New(standin.Config{
		Accounts: []standin.Account{{Subdomain: "acme", Token: token, Customers: []standin.Customer{{ID: 7, BusinessName: "Dunder"}}}},
		Logger:   quiet(), Clock: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()
	client, err := syncro.New(bench{url: web.URL}.config(), syncro.Credentials{Subdomain: "acme", APIToken: token})
	if err != nil {
		b.Fatal(err)
	}
	draft := psa.Draft{CompanyID: "7", Title: "Disk is not encrypted", Body: "text", Settings: syncro.Settings{ProblemType: "Other"}}
	n := 0
	for b.Loop() {
		n++
		draft.Marker = psa.Marker("o", "i", strconv.Itoa(n), 1)
		if _, err := client.Create(b.Context(), draft); err != nil {
			b.Fatal(err)
		}
	}
}
