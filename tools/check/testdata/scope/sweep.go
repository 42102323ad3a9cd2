package scope

import (
	"context"

	"github.com/bailiwick/bailiwick/tenancy"
)

var escape = tenancy.System

func Sweep(ctx context.Context) context.Context {
	return tenancy.System(ctx, "find what is due")
}

func Unnamed(ctx context.Context, reason string) context.Context {
	return tenancy.System(ctx, reason)
}

func Within(ctx context.Context) (tenancy.Scope, error) { return tenancy.From(ctx) }

func Renamed(ctx context.Context) context.Context {
	return func() context.Context { return tenancy.System(ctx, "find what is due") }()
}
