package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/bailiwick/bailiwick/internal/fault"
)

const internalMessage = "internal error: the request id leads to the log"

// refusal carries an error of this package through the executor, which wants
// its own type, to the presenter, which finds it again.
func refusal(err error) *gqlerror.Error { return gqlerror.Wrap(err) }

// limitError says which limit a document exceeds. An actual of 0 is unknown:
// counting ended at the limit.
type limitError struct {
	limit           string
	maximum, actual int
}

func (e *limitError) Error() string {
	if e.actual == 0 {
		return fmt.Sprintf("the operation exceeds the limit of %s, %d", e.limit, e.maximum)
	}
	return fmt.Sprintf("the operation exceeds the limit of %s: %d, where %d are allowed", e.limit, e.actual, e.maximum)
}

// panicked is a panic that has been logged.
type panicked struct{}

func (panicked) Error() string { return "a resolver panicked" }

// presenter turns any error into what a caller may read.
type presenter struct {
	config Config
	schema *ast.Schema
}

func (p presenter) recovered(ctx context.Context, value any) error {
	p.config.Log.ErrorContext(ctx, "resolver panicked", "panic", value, "path", graphql.GetPath(ctx).String(),
		"stack", string(debug.Stack()), "request_id", p.config.RequestID(ctx))
	return panicked{}
}

func (p presenter) present(ctx context.Context, err error) *gqlerror.Error {
	if err == nil {
		return nil
	}
	shown := &gqlerror.Error{Path: graphql.GetPath(ctx), Extensions: map[string]any{}}
	var raw *gqlerror.Error
	if errors.As(err, &raw) {
		shown.Locations = raw.Locations
		if raw.Path != nil {
			shown.Path = raw.Path
		}
	}

	var limit *limitError
	if errors.As(err, &limit) {
		shown.Message = limit.Error()
		shown.Extensions["limit"], shown.Extensions["maximum"] = limit.limit, limit.maximum
		if limit.actual != 0 {
			shown.Extensions["actual"] = limit.actual
		}
		return p.finish(ctx, shown, fault.QueryTooComplex)
	}
	if field, name, ok := p.argument(ctx, shown); ok {
		return p.badArgument(ctx, shown, err, field, name)
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return p.fault(ctx, shown, e)
	}
	if raw != nil && raw.Err == nil && isRequestError(raw) {
		shown.Message = raw.Message
		if field := variableField(raw.Path); field != "" {
			shown.Path, shown.Extensions["field"] = nil, field // a path is one of the response
			shown.Message = field + ": " + raw.Message
		}
		return p.finish(ctx, shown, fault.InvalidArgument)
	}
	return p.unknown(ctx, shown, err)
}

func (p presenter) fault(ctx context.Context, shown *gqlerror.Error, e *fault.Error) *gqlerror.Error {
	shown.Message = e.Message
	if e.Field != "" {
		shown.Extensions["field"] = e.Field
	}
	if e.RetryAfter > 0 {
		shown.Extensions["retryAfter"] = int(math.Ceil(e.RetryAfter.Seconds()))
	}
	cause := errors.Unwrap(e)
	switch {
	case e.Code == fault.Internal:
		p.log(ctx, slog.LevelError, "request failed", shown, e)
		shown.Message = internalMessage
	case cause != nil && e.Code == fault.Unavailable:
		p.log(ctx, slog.LevelWarn, "dependency unavailable", shown, e)
	case cause != nil:
		p.log(ctx, slog.LevelDebug, "request refused", shown, e)
	}
	return p.finish(ctx, shown, e.Code)
}

// unknown is shown as INTERNAL, unless the request has run out of time: then
// drivers fail in words of their own, and the context knows why.
func (p presenter) unknown(ctx context.Context, shown *gqlerror.Error, err error) *gqlerror.Error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		shown.Message = timeoutMessage
		p.log(ctx, slog.LevelWarn, "request timed out", shown, err)
		return p.finish(ctx, shown, fault.Unavailable)
	case errors.Is(err, context.Canceled), ctx.Err() != nil:
		shown.Message = "the request was cancelled"
		p.log(ctx, slog.LevelDebug, "request cancelled", shown, err)
		return p.finish(ctx, shown, fault.Unavailable)
	}
	if !errors.As(err, new(panicked)) {
		p.log(ctx, slog.LevelError, "request failed", shown, err)
	}
	shown.Message = internalMessage
	return p.finish(ctx, shown, fault.Internal)
}

const timeoutMessage = "the request took too long"

func (p presenter) log(ctx context.Context, level slog.Level, message string, shown *gqlerror.Error, err error) {
	p.config.Log.Log(ctx, level, message, "error", err, "path", shown.Path.String(), "request_id", p.config.RequestID(ctx))
}

func (p presenter) finish(ctx context.Context, shown *gqlerror.Error, code fault.Code) *gqlerror.Error {
	shown.Extensions["code"] = code
	if id := p.config.RequestID(ctx); id != "" {
		shown.Extensions["requestId"] = id
	}
	return shown
}

// isRequestError tells the parser's and validator's errors, whose words are
// about the document, from others' errors of the same type.
func isRequestError(err *gqlerror.Error) bool {
	code := err.Extensions["code"]
	return code == errcode.ValidationFailed || code == errcode.ParseFailed
}

// variableField reads the input path out of the validator's ["variable", …].
func variableField(path ast.Path) string {
	if len(path) < 2 || path[0] != ast.PathName("variable") {
		return ""
	}
	return path[1:].String()
}

// argument reports whether an error is about an argument of the field being
// resolved: generated code then extends the field's path by the argument's. It
// returns the argument's path and type, and cuts the path back to the field.
func (p presenter) argument(ctx context.Context, shown *gqlerror.Error) (path, typeName string, ok bool) {
	fc := graphql.GetFieldContext(ctx)
	if fc == nil || fc.Field.Field == nil || fc.Field.Definition == nil {
		return "", "", false
	}
	at := fc.Path()
	if len(shown.Path) <= len(at) {
		return "", "", false
	}
	rest := shown.Path[len(at):]
	name, _ := rest[0].(ast.PathName)
	def := fc.Field.Definition.Arguments.ForName(string(name))
	if def == nil {
		return "", "", false
	}
	shown.Path = at
	return rest.String(), p.typeAt(def.Type, rest[1:]), true
}

func (p presenter) typeAt(t *ast.Type, rest ast.Path) string {
	for _, element := range rest {
		switch e := element.(type) {
		case ast.PathIndex:
			if t.Elem != nil {
				t = t.Elem
			}
		case ast.PathName:
			def := p.schema.Types[t.Name()]
			if def == nil || def.Fields.ForName(string(e)) == nil {
				return t.Name()
			}
			t = def.Fields.ForName(string(e)).Type
		}
	}
	return t.Name()
}

func (p presenter) badArgument(ctx context.Context, shown *gqlerror.Error, err error, field, typeName string) *gqlerror.Error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		named := *e
		if named.Field == "" {
			named.Field = field
		}
		return p.fault(ctx, shown, &named)
	}
	p.log(ctx, slog.LevelDebug, "argument refused", shown, err)
	shown.Message = fmt.Sprintf("%s: not a valid %s", field, typeName)
	shown.Extensions["field"] = field
	return p.finish(ctx, shown, fault.InvalidArgument)
}
