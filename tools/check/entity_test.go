package check_test

import (
	"testing"

	"github.com/bailiwick/bailiwick/internal/database"
	"github.com/bailiwick/bailiwick/schema"
	"github.com/bailiwick/bailiwick/tools/check"
)

func TestEntities(t *testing.T) {
	findings, err := check.Entities("../../schema", database.Rules{Global: schema.Global(), AppendOnly: schema.AppendOnly()})
	if err != nil {
		t.Fatal(err)
	}
	report(t, findings)
}

func TestEntitiesFixture(t *testing.T) {
	got, err := check.Entities("./testdata/entity", database.Rules{Global: map[string]string{"listeds": "a test"}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, got, []string{
		`Odd: "Odd-" is no prefix`,
		`Second: First has the prefix "same" already`,
		"Stray: its ids have no prefix",
		"strays: belongs to no tenant",
	})
}
