package serve

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// cacheableBytes bounds a document that is kept. The caches count entries, so
// without it a thousand documents of a mebibyte of comments would stay.
const cacheableBytes = 32 << 10

// bounded is a least-recently-used cache that declines long documents.
type bounded[T any] struct{ *lru.LRU[T] }

func (b bounded[T]) Add(ctx context.Context, document string, value T) {
	if len(document) <= cacheableBytes {
		b.LRU.Add(ctx, document, value)
	}
}

func newDocumentCache(entries int) graphql.Cache[*ast.QueryDocument] {
	return bounded[*ast.QueryDocument]{lru.New[*ast.QueryDocument](entries)}
}

// persistedQueries lets a client send the hash of a document it has sent
// before (Apollo's automatic persisted queries, version 1).
type persistedQueries struct{ documents *lru.LRU[string] }

func newPersistedQueries(entries int) persistedQueries {
	return persistedQueries{documents: lru.New[string](entries)}
}

func (persistedQueries) ExtensionName() string                   { return "PersistedQueries" }
func (persistedQueries) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters fills in the document, or remembers it.
func (p persistedQueries) MutateOperationParameters(ctx context.Context, params *graphql.RawParams) *gqlerror.Error {
	raw, ok := params.Extensions["persistedQuery"]
	if !ok || raw == nil {
		return nil
	}
	entry, _ := raw.(map[string]any)
	hash, _ := entry["sha256Hash"].(string)
	version, _ := entry["version"].(json.Number)
	if hash == "" || version != "1" {
		return refusal(fault.Invalid("extensions.persistedQuery", "wants a sha256Hash and version 1"))
	}
	if params.Query == "" {
		if params.Query, ok = p.documents.Get(ctx, hash); !ok {
			return refusal(fault.New(fault.NotFound, "PersistedQueryNotFound")) // the words Apollo's clients wait for
		}
		return nil
	}
	if sum := sha256.Sum256([]byte(params.Query)); hex.EncodeToString(sum[:]) != hash {
		return refusal(fault.Invalid("extensions.persistedQuery.sha256Hash", "the hash is not the query's"))
	}
	if len(params.Query) <= cacheableBytes {
		p.documents.Add(ctx, hash, params.Query)
	}
	return nil
}
