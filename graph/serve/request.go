package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"github.com/bailiwick/bailiwick/internal/fault"
)

// PreflightHeader is a header that no HTML form can send. With any value, it
// proves that a multipart request was not forged by a foreign page.
const PreflightHeader = "GraphQL-Require-Preflight"

// badRequest is a request that is not one of GraphQL over HTTP.
type badRequest struct {
	status int
	err    *fault.Error
}

func bad(status int, field, format string, args ...any) *badRequest {
	return &badRequest{status, fault.Invalid(field, format, args...)}
}

// read decodes a request. A POST must be of a content type that a foreign page
// cannot send without a preflight; a GET changes nothing, and needs none.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *badRequest) {
	if r.Method == http.MethodGet {
		return readURL(r.URL)
	}
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return nil, bad(http.StatusUnsupportedMediaType, "", "send the request as application/json")
	case mediaType == "multipart/form-data" && s.config.Uploads:
		return s.readMultipart(w, r, params["boundary"])
	case mediaType != plainJSON:
		return nil, bad(http.StatusUnsupportedMediaType, "", "content type %s is not supported: send application/json", mediaType)
	case params["charset"] != "" && !isUTF8(params["charset"]):
		return nil, bad(http.StatusUnsupportedMediaType, "", "charset %s is not supported: send UTF-8", clip(params["charset"]))
	case r.Header.Get("Content-Encoding") != "" && r.Header.Get("Content-Encoding") != "identity":
		return nil, bad(http.StatusUnsupportedMediaType, "", "compressed bodies are not supported")
	}
	body, refused := readAll(w, r, s.config.Limits.BodyBytes)
	if refused != nil {
		return nil, refused
	}
	return readJSON(body)
}

func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *badRequest) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, bodyError(err)
	}
	return body, nil
}

func bodyError(err error) *badRequest {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bad(http.StatusRequestEntityTooLarge, "", "the body exceeds %d bytes", tooLarge.Limit)
	}
	return bad(http.StatusBadRequest, "", "the body ended early")
}

// readJSON decodes one request object. Unknown keys are left to extensions of
// the protocol; a key given twice is refused, because two readers of the same
// body could then see two requests.
func readJSON(body []byte) (*graphql.RawParams, *badRequest) {
	if !utf8.Valid(body) {
		return nil, bad(http.StatusBadRequest, "", "the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	switch start, err := d.Token(); {
	case err != nil:
		return nil, bad(http.StatusBadRequest, "", "the body is not JSON")
	case start == json.Delim('['):
		return nil, bad(http.StatusBadRequest, "", "batching is not supported: send one operation per request")
	case start != json.Delim('{'):
		return nil, bad(http.StatusBadRequest, "", "the body is not a JSON object")
	}
	fields := map[string]any{}
	for d.More() {
		token, err := d.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return nil, bad(http.StatusBadRequest, "", "the body is not JSON")
		}
		if _, twice := fields[key]; twice {
			return nil, bad(http.StatusBadRequest, clip(key), "the key is given twice")
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, bad(http.StatusBadRequest, "", "the body is not JSON")
		}
		fields[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, bad(http.StatusBadRequest, "", "the body is not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, bad(http.StatusBadRequest, "", "something follows the JSON object")
	}
	return readFields(fields)
}

func readURL(u *url.URL) (*graphql.RawParams, *badRequest) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, bad(http.StatusBadRequest, "", "the query string cannot be read")
	}
	fields := map[string]any{}
	for _, key := range []string{"query", "operationName", "variables", "extensions"} {
		given := values[key]
		switch {
		case len(given) > 1:
			return nil, bad(http.StatusBadRequest, key, "the parameter is given twice")
		case len(given) == 0 || given[0] == "":
			continue
		case !utf8.ValidString(given[0]):
			return nil, bad(http.StatusBadRequest, key, "the parameter is not UTF-8")
		case key == "query" || key == "operationName":
			fields[key] = given[0]
			continue
		}
		value, err := oneValue([]byte(given[0]))
		if err != nil {
			return nil, bad(http.StatusBadRequest, key, "the parameter is not JSON")
		}
		fields[key] = value
	}
	return readFields(fields)
}

func oneValue(raw []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("trailing data")
	}
	return value, nil
}

// readFields checks the types of what a request object holds.
func readFields(fields map[string]any) (*graphql.RawParams, *badRequest) {
	params := &graphql.RawParams{}
	for key, target := range map[string]*string{"query": &params.Query, "operationName": &params.OperationName} {
		switch v := fields[key].(type) {
		case nil:
		case string:
			*target = v
		default:
			return nil, bad(http.StatusBadRequest, key, "%s must be a string", key)
		}
	}
	for key, target := range map[string]*map[string]any{"variables": &params.Variables, "extensions": &params.Extensions} {
		switch v := fields[key].(type) {
		case nil:
		case map[string]any:
			*target = v
		default:
			return nil, bad(http.StatusBadRequest, key, "%s must be an object", key)
		}
	}
	if params.Query == "" && params.Extensions["persistedQuery"] == nil {
		return nil, bad(http.StatusBadRequest, "query", "query is missing")
	}
	return params, nil
}
