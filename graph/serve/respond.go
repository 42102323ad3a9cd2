package serve

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// RequestIDHeader is the response header in which a middleware in front has
// put the request's id, and where [WriteError] finds it.
const RequestIDHeader = "X-Request-Id"

// WriteError answers a request that never reaches the schema, such as one
// without a valid credential (401), in the shape and media type of GraphQL.
func WriteError(w http.ResponseWriter, r *http.Request, status int, err *fault.Error) {
	writeError(w, r, status, err, w.Header().Get(RequestIDHeader))
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, err *fault.Error) {
	writeError(w, r, status, err, s.config.RequestID(r.Context()))
}

func writeError(w http.ResponseWriter, r *http.Request, status int, err *fault.Error, requestID string) {
	shown := &gqlerror.Error{Message: err.Message, Extensions: map[string]any{"code": err.Code}}
	if err.Code == fault.Internal {
		shown.Message = internalMessage
	}
	if err.Field != "" {
		shown.Extensions["field"] = err.Field
	}
	if err.RetryAfter > 0 {
		shown.Extensions["retryAfter"] = int(math.Ceil(err.RetryAfter.Seconds()))
	}
	if requestID != "" {
		shown.Extensions["requestId"] = requestID
	}
	writeJSON(w, errorType(r), status, &graphql.Response{Errors: gqlerror.List{shown}})
}

func writeJSON(w http.ResponseWriter, mediaType string, status int, response *graphql.Response) {
	header := w.Header()
	header.Set("Content-Type", mediaType+"; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if len(response.Errors) > 0 && response.Data == nil {
		if seconds, ok := response.Errors[0].Extensions["retryAfter"].(int); ok {
			header.Set("Retry-After", strconv.Itoa(seconds))
		}
	}
	body := encode(response)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone is no error of ours
}

// encode writes a response by hand: data is JSON already, which the standard
// encoder would parse once more, and is absent where nothing was executed,
// which gqlgen's own type cannot say.
func encode(response *graphql.Response) []byte {
	var b bytes.Buffer
	b.Grow(len(response.Data) + 64)
	separator := byte('{')
	member := func(name string, value []byte) {
		b.WriteByte(separator)
		b.WriteString(`"` + name + `":`)
		b.Write(value)
		separator = ','
	}
	if len(response.Errors) > 0 {
		member("errors", marshal(response.Errors))
	}
	if response.Data != nil || len(response.Errors) == 0 {
		data := []byte(response.Data)
		if len(data) == 0 {
			data = []byte("null")
		}
		member("data", data)
	}
	if len(response.Extensions) > 0 {
		member("extensions", marshal(response.Extensions))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// marshal is for values of our own making, plus what extensions register.
func marshal(value any) []byte {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err) // an extension registered what JSON cannot hold: a defect, logged as one
	}
	return b
}

// status is the response's HTTP status. Where nothing was executed the error
// decides; under application/json a well-formed answer to a document that is
// not valid is still 200, as older clients expect.
func status(mediaType string, response *graphql.Response) int {
	if response.Data != nil || len(response.Errors) == 0 {
		return http.StatusOK
	}
	code, _ := response.Errors[0].Extensions["code"].(fault.Code)
	switch code {
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.RateLimited:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Internal:
		return http.StatusInternalServerError
	}
	if mediaType == responseJSON {
		return http.StatusBadRequest
	}
	return http.StatusOK
}
