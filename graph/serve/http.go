package serve

import (
	"context"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/bailiwick/bailiwick/internal/fault"
)

const allowedMethods = "GET, POST, OPTIONS"

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodPost:
	case http.MethodOptions:
		w.Header().Set("Allow", allowedMethods)
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		w.Header().Set("Allow", allowedMethods)
		s.refuse(w, r, http.StatusMethodNotAllowed, fault.New(fault.InvalidArgument, "use GET or POST"))
		return
	}
	mediaType := negotiate(r)
	if mediaType == "" {
		s.refuse(w, r, http.StatusNotAcceptable, fault.New(fault.InvalidArgument,
			"the response is %s, %s or %s", responseJSON, plainJSON, eventStream))
		return
	}
	params, refused := s.read(w, r)
	if refused != nil {
		s.refuse(w, r, refused.status, refused.err)
		return
	}
	params.Headers = r.Header
	if mediaType == eventStream {
		s.serveEvents(w, r, params)
		return
	}

	ctx, cancel := context.WithTimeout(r.Context(), s.config.Timeout)
	defer cancel()
	op := s.prepare(ctx, params)
	if op.refused == nil {
		switch {
		case op.kind() == ast.Subscription:
			op.observe()
			s.refuse(w, r, http.StatusNotAcceptable, fault.New(fault.InvalidArgument,
				"a subscription needs Accept: %s, or a WebSocket", eventStream))
			return
		case r.Method == http.MethodGet && op.kind() == ast.Mutation:
			op.observe()
			s.refuseMutation(w, r)
			return
		}
	}
	response := op.once()
	writeJSON(w, mediaType, status(mediaType, response), response)
}

func (s *Server) refuseMutation(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Allow", "POST")
	s.refuse(w, r, http.StatusMethodNotAllowed, fault.New(fault.InvalidArgument, "a mutation needs POST"))
}

// operation is one operation from its request to its last response.
type operation struct {
	s       *Server
	ctx     context.Context //nolint:containedctx // it lives exactly as long as the operation
	op      *graphql.OperationContext
	refused *graphql.Response // why it will not run
	started time.Time
	codes   []fault.Code

	responses graphql.ResponseHandler // once it has begun
}

// prepare parses, validates and checks.
func (s *Server) prepare(ctx context.Context, params *graphql.RawParams) *operation {
	o := &operation{s: s, started: s.config.Clock()}
	ctx = graphql.StartOperationTrace(ctx)
	var errs gqlerror.List
	o.op, errs = s.exec.CreateOperationContext(ctx, params)
	o.ctx = graphql.WithOperationContext(ctx, o.op)
	if len(errs) > 0 {
		o.refused = s.exec.DispatchError(o.ctx, errs)
	}
	return o
}

func (o *operation) kind() ast.Operation {
	if o.op == nil || o.op.Operation == nil {
		return ""
	}
	return o.op.Operation.Operation
}

// once runs a query or mutation, and observes it.
func (o *operation) once() *graphql.Response {
	var response *graphql.Response
	o.each(func(r *graphql.Response) bool {
		response = r
		return false
	})
	if response == nil { // the executor falls silent when the context ends
		response = o.s.exec.DispatchError(o.ctx, gqlerror.List{refusal(fault.New(fault.Unavailable, timeoutMessage))})
		o.note(response)
	}
	o.observe()
	return response
}

// begin has a subscription subscribed; a query runs when its response is asked
// for.
func (o *operation) begin() {
	if o.refused == nil && o.responses == nil {
		o.responses, o.ctx = o.s.exec.DispatchOperation(o.ctx, o.op)
	}
}

// each yields responses until there are no more, or yield returns false.
func (o *operation) each(yield func(*graphql.Response) bool) {
	if o.refused != nil {
		o.note(o.refused)
		yield(o.refused)
		return
	}
	o.begin()
	for {
		response := o.responses(o.ctx)
		if response == nil {
			return
		}
		o.note(response)
		if !yield(response) {
			return
		}
	}
}

// notedCodes bounds what a long subscription remembers for its observation.
const notedCodes = 20

func (o *operation) note(response *graphql.Response) {
	for _, err := range response.Errors {
		if code, ok := err.Extensions["code"].(fault.Code); ok && len(o.codes) < notedCodes {
			o.codes = append(o.codes, code)
		}
	}
}

func (o *operation) observe() {
	name := ""
	if o.op != nil {
		name = o.op.OperationName
		if o.op.Operation != nil {
			name = o.op.Operation.Name
		}
	}
	o.s.config.Observe(o.ctx, Observation{
		Operation: name, Kind: string(o.kind()), Codes: o.codes, Duration: o.s.config.Clock().Sub(o.started),
	})
}
