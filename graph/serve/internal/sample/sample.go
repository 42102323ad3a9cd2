// Package sample is a small executable schema that behaves well and badly on
// request: what package serve is tested and audited with.
package sample

//go:generate go run github.com/99designs/gqlgen generate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// New returns the schema, ready to execute.
func New() graphql.ExecutableSchema {
	return NewExecutableSchema(Config{Resolvers: root{}})
}

type (
	root         struct{}
	item         struct{}
	query        struct{}
	mutation     struct{}
	subscription struct{}
)

func (root) Item() ItemResolver                 { return item{} }
func (root) Query() QueryResolver               { return query{} }
func (root) Mutation() MutationResolver         { return mutation{} }
func (root) Subscription() SubscriptionResolver { return subscription{} }

func (item) Items(_ context.Context, _ *Item, first *int, _ *string, last *int, _ *string) (*ItemConnection, error) {
	return page(first, last), nil
}

func (item) Parent(context.Context, *Item) (*Item, error) {
	return &Item{ID: "itm_0", Name: "root"}, nil
}

func page(first, last *int) *ItemConnection {
	n := 3
	for _, size := range []*int{first, last} {
		if size != nil {
			n = *size
		}
	}
	c := &ItemConnection{Edges: []*ItemEdge{}, Nodes: []*Item{}, PageInfo: &PageInfo{}, TotalCount: n}
	for i := range n {
		it := &Item{ID: "itm_" + strconv.Itoa(i), Name: "item " + strconv.Itoa(i)}
		c.Nodes = append(c.Nodes, it)
		c.Edges = append(c.Edges, &ItemEdge{Cursor: it.ID, Node: it})
	}
	return c
}

func (query) Hello(_ context.Context, name *string) (string, error) {
	if name == nil {
		return "hello", nil
	}
	return "hello " + *name, nil
}

func (query) Echo(_ context.Context, input EchoInput) (string, error) {
	b, err := json.Marshal(input)
	return string(b), err
}

func (query) At(_ context.Context, t time.Time) (string, error) { return t.UTC().String(), nil }

func (query) Items(_ context.Context, first *int, _ *string, last *int, _ *string) (*ItemConnection, error) {
	return page(first, last), nil
}

func (query) Node(_ context.Context, id string) (Node, error) { return &Item{ID: id, Name: id}, nil }

func (query) Nodes(_ context.Context, ids []string) ([]Node, error) {
	nodes := make([]Node, len(ids))
	for i, id := range ids {
		nodes[i] = &Item{ID: id, Name: id}
	}
	return nodes, nil
}

// errDriver is what a database driver says and no caller may read.
var errDriver = errors.New(`pq: relation "secret_table" does not exist`)

func (query) Fail(_ context.Context, code *string) (*string, error) {
	if code == nil {
		return nil, fmt.Errorf("load item: %w", errDriver)
	}
	err := &fault.Error{Code: fault.Code(*code), Message: "as asked", Field: "code", RetryAfter: 1500 * time.Millisecond}
	return nil, fmt.Errorf("fail: %w", err.Wrap(errDriver))
}

func (query) Panics(context.Context) (*string, error) { panic("secret_table burst") }

func (query) Wait(ctx context.Context) (*string, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("pq: canceling statement: %w", ctx.Err())
}

func (mutation) Set(_ context.Context, value string) (string, error) { return value, nil }

func (subscription) Count(ctx context.Context, to int) (<-chan int, error) {
	return emit(ctx, to, func(i int) int { return i + 1 }), nil
}

func (subscription) Open(ctx context.Context) (<-chan string, error) {
	c := make(chan string, 1)
	c <- "open"
	go func() {
		<-ctx.Done()
		close(c)
	}()
	return c, nil
}

func (subscription) Refused(context.Context) (<-chan string, error) {
	return nil, fault.New(fault.Forbidden, "not for you")
}

func emit[T any](ctx context.Context, n int, value func(int) T) <-chan T {
	c := make(chan T)
	go func() {
		defer close(c)
		for i := range n {
			select {
			case c <- value(i):
			case <-ctx.Done():
				return
			}
		}
	}()
	return c
}
