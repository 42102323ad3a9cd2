package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

// uploadParts bounds the files of one request, and the places each may go.
const uploadParts = 20

// readMultipart decodes a GraphQL multipart request: the parts operations and
// map, in this order, then the files, which are held in memory.
func (s *Server) readMultipart(w http.ResponseWriter, r *http.Request, boundary string) (*graphql.RawParams, *badRequest) {
	if r.Header.Get(PreflightHeader) == "" {
		return nil, bad(http.StatusBadRequest, "", "a multipart request needs the header %s", PreflightHeader)
	}
	reader := multipart.NewReader(http.MaxBytesReader(w, r.Body, s.config.Limits.UploadBytes), boundary)
	operations, refused := jsonPart(reader, "operations", s.config.Limits.BodyBytes)
	if refused != nil {
		return nil, refused
	}
	params, refused := readJSON(operations)
	if refused != nil {
		return nil, refused
	}
	rawMap, refused := jsonPart(reader, "map", s.config.Limits.BodyBytes)
	if refused != nil {
		return nil, refused
	}
	places := map[string][]string{}
	if err := json.Unmarshal(rawMap, &places); err != nil || len(places) > uploadParts {
		return nil, bad(http.StatusBadRequest, "map", "map must be an object of at most %d lists of paths", uploadParts)
	}
	for len(places) > 0 {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, bad(http.StatusBadRequest, "map", "a file that map names is missing")
		}
		if err != nil {
			return nil, bodyError(err)
		}
		paths, named := places[part.FormName()]
		if !named || len(paths) > uploadParts {
			return nil, bad(http.StatusBadRequest, "map", "map must name every file, at no more than %d paths", uploadParts)
		}
		delete(places, part.FormName())
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, bodyError(err)
		}
		for _, path := range paths {
			file := graphql.Upload{
				File: bytes.NewReader(content), Filename: part.FileName(),
				Size: int64(len(content)), ContentType: part.Header.Get("Content-Type"),
			}
			if !place(params.Variables, path, file) {
				return nil, bad(http.StatusBadRequest, "map", "%q is no path to a null variable", clip(path))
			}
		}
	}
	return params, nil
}

func jsonPart(reader *multipart.Reader, name string, limit int64) ([]byte, *badRequest) {
	part, err := reader.NextPart()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, bodyError(err)
	}
	if err != nil || part.FormName() != name {
		return nil, bad(http.StatusBadRequest, name, "the parts must be operations, map, and files, in this order")
	}
	content, err := io.ReadAll(io.LimitReader(part, limit+1))
	if err != nil {
		return nil, bodyError(err)
	}
	if int64(len(content)) > limit {
		return nil, bad(http.StatusRequestEntityTooLarge, name, "the part exceeds %d bytes", limit)
	}
	return content, nil
}

// place puts a file where a path such as variables.input.files.0 finds null.
func place(variables map[string]any, path string, file graphql.Upload) bool {
	steps := strings.Split(path, ".")
	if len(steps) < 2 || steps[0] != "variables" {
		return false
	}
	var at any = variables
	for i, step := range steps[1:] {
		last := i == len(steps)-2
		switch node := at.(type) {
		case map[string]any:
			value, known := node[step]
			if last {
				if !known || value != nil {
					return false
				}
				node[step] = file
			}
			at = value
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n < 0 || n >= len(node) {
				return false
			}
			if last {
				if node[n] != nil {
					return false
				}
				node[n] = file
			}
			at = node[n]
		default:
			return false
		}
	}
	return true
}
