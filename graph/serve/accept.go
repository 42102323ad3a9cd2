package serve

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The media types of a response.
const (
	plainJSON    = "application/json"
	responseJSON = "application/graphql-response+json"
	eventStream  = "text/event-stream"
)

// negotiate picks the response's media type, or "" if the client takes none of
// them. A wildcard, or no header, gets application/json: that is what a client
// that predates the specification expects.
func negotiate(r *http.Request) string {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return plainJSON
	}
	best, quality := "", 0.0
	for part := range strings.SplitSeq(header, ",") {
		mediaType, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		if charset := params["charset"]; charset != "" && !isUTF8(charset) {
			continue
		}
		q := 1.0
		if raw, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(raw, 64); err != nil {
				continue
			}
		}
		switch mediaType {
		case "*/*", "application/*":
			mediaType = plainJSON
		case plainJSON, responseJSON, eventStream:
		default:
			continue
		}
		if q > quality {
			best, quality = mediaType, q
		}
	}
	return best
}

// errorType is the media type of an error before, or instead of, a stream.
func errorType(r *http.Request) string {
	if negotiate(r) == responseJSON {
		return responseJSON
	}
	return plainJSON
}

func isUTF8(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
