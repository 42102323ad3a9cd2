package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The headers that say who asks, and for which organization.
const (
	authorizationHeader = "Authorization"
	apiKeyHeader        = "x-api-key"
	organizationHeader  = "x-org-id"
)

const (
	callTimeout = 30 * time.Second
	maxAnswer   = 4 << 20
)

// client calls the public API as anybody else does.
type client struct {
	http     *http.Client
	endpoint string
	header   http.Header
}

func newClient(endpoint string) client {
	return client{http: &http.Client{Timeout: callTimeout}, endpoint: endpoint, header: http.Header{}}
}

// with returns a client that sends one more header.
func (c client) with(header, value string) client {
	c.header = c.header.Clone()
	c.header.Set(header, value)
	return c
}

type vars map[string]any

// do sends one operation and decodes its data into answer. The errors of the
// answer are the error.
func (c client) do(ctx context.Context, operation string, variables vars, answer any) error {
	body, err := json.Marshal(map[string]any{"query": operation, "variables": variables})
	if err != nil {
		return fmt.Errorf("encode the operation: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = c.header.Clone()
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	var envelope struct {
		Data   json.RawMessage
		Errors []struct {
			Message    string
			Path       []any
			Extensions struct{ Code, Field string }
		}
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return fmt.Errorf("status %d, and no GraphQL answer: %w", response.StatusCode, err)
	}
	var refused []error
	for _, e := range envelope.Errors {
		refused = append(refused, fmt.Errorf("%v %s: %s %s", e.Path, e.Extensions.Code, e.Extensions.Field, e.Message))
	}
	if len(refused) > 0 {
		return errors.Join(refused...)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(envelope.Data, answer)
}
