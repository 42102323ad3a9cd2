package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/testkit/testdb"
)

func TestIdempotencyKeyAnswersTheFirstResult(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := start(t, engine)
		a, b := s.provider(t, "North", "a@north.example"), s.provider(t, "South", "b@south.example")
		const create = `mutation($n: String!) { createOrganization(input: {name: $n}) { organization { id name } } }`
		type result struct {
			CreateOrganization struct{ Organization struct{ ID, Name string } }
		}
		var first, again, other result
		once := s.with("Idempotency-Key", "k-1")

		once.must(t, a, "", create, map[string]any{"n": "Acme"}, &first)
		once.must(t, a, "", create, map[string]any{"n": "Acme"}, &again)
		require.Equal(t, first, again)
		require.Equal(t, "INVALID_ARGUMENT", code(once.do(t, a, "", create, map[string]any{"n": "Beta"}, nil)))

		once.must(t, b, "", create, map[string]any{"n": "Acme"}, &other)
		require.NotEqual(t, first, other, "a key belongs to whoever sends it")

		failing := s.with("Idempotency-Key", "k-2")
		require.Equal(t, "CONFLICT", code(failing.do(t, a, "", create, map[string]any{"n": "Acme"}, nil)))
		require.Equal(t, "CONFLICT", code(failing.do(t, a, "", create, map[string]any{"n": "Acme"}, nil)), "what failed is tried again")

		var count struct{ Organizations struct{ TotalCount int } }
		s.must(t, a, "", `{ organizations { totalCount } }`, nil, &count)
		require.Equal(t, 1, count.Organizations.TotalCount)
	})
}

func TestIdempotencyKeyKeepsASecretSealed(t *testing.T) {
	testdb.EachEngine(t, func(t *testing.T, engine string) {
		s := start(t, engine)
		a := s.provider(t, "North", "a@north.example")
		s.provider(t, "South", "b@south.example")
		bearer := s.signIn(t, "a@north.example", "maple-quartz-lantern-84")
		type result struct {
			CreateAPIKey struct{ Key string } `json:"createApiKey"`
		}
		var first, again result
		once := s.with("Idempotency-Key", "key")
		once.must(t, bearer, "", `mutation { createApiKey(input: {name: "once"}) { key } }`, nil, &first)
		once.must(t, bearer, "", `mutation { createApiKey(input: {name: "once"}) { key } }`, nil, &again)
		require.Equal(t, first, again)
		require.NotEmpty(t, first.CreateAPIKey.Key)
		var keys struct {
			APIKeys struct{ TotalCount int } `json:"apiKeys"`
		}
		s.must(t, a, "", `{ apiKeys { totalCount } }`, nil, &keys)
		require.Equal(t, 2, keys.APIKeys.TotalCount)
	})
}
