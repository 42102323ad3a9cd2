package autotask_test

import (
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/bailiwick/bailiwick/internal/ticket/psa"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask"
	"github.com/bailiwick/bailiwick/internal/ticket/psa/autotask/standin"
)

// BenchmarkCreate is one ticket over loopback, with the read that tells its
// number, connections included.
func BenchmarkCreate(b *testing.B) {
	server, err := standin.New(standin.Config{
		Accounts: []standin.Account{{Database: "Acme MSP", IntegrationCode: code, Username: user, Secret: secret, Companies: []standin.Company{{ID: 7, Name: "Dunder"}}}},
		Logger:   quiet(), Clock: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()
	client, err := autotask.New(bench{url: web.URL}.config(), autotask.Credentials{Username: user, Secret: secret})
	if err != nil {
		b.Fatal(err)
	}
	draft := psa.Draft{CompanyID: "7", Title: "Disk is not encrypted", Body: "text", Settings: bench{}.settings()}
	n := 0
	for b.Loop() {
		n++
		draft.Marker = psa.Marker("o", "i", strconv.Itoa(n), 1)
		if _, err := client.Create(b.Context(), draft); err != nil {
			b.Fatal(err)
		}
	}
}
