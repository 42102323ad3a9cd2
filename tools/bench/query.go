package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/bailiwick/bailiwick/tenancy"
	"github.com/bailiwick/bailiwick/tools/bench/data"
	"github.com/bailiwick/bailiwick/tools/bench/load"
)

// query is one of the questions that are measured.
type query struct {
	letter string
	title  string
	most   int // statements that a warm request may take; 0 where nothing is promised
	writes bool
	over   bool // over all organizations, rather than within some

	// pairs lays out requests for a number of rows; the limit always answers a page.
	pairs func(w *world, rows int) ([]pair, error)
}

// pair is one request, laid out for each of the two servers.
type pair struct{ ours, limit []byte }

// page is how many rows a measured list has.
const page = 50

// documents are the queries' texts, by letter.
var documents = map[string]string{
	"A": `query A($id: ID!) { device(id: $id) { id name serialNumber platform osVersion } }`,
	"B": `query B($platform: DevicePlatform!, $first: Int!) {
		devices(filter: {platform: $platform}, orderBy: {field: NAME}, first: $first) {
			totalCount edges { node { id name serialNumber platform model osVersion enrolled lastSeenAt } }
		}
	}`,
	"C": `query C($first: Int!, $after: Cursor, $devices: Int!) {
		organizations(orderBy: {field: NAME}, first: $first, after: $after) {
			edges { node { id name
				devices(orderBy: {field: NAME}, first: $devices) {
					edges { node { id name serialNumber platform user { id login } } }
				}
			} }
			pageInfo { endCursor hasNextPage }
		}
	}`,
	"D": `query D($prefix: String!, $first: Int!, $after: Cursor) {
		devices(filter: {nameHasPrefix: $prefix}, orderBy: {field: NAME}, first: $first, after: $after) {
			edges { node { id name serialNumber platform organization { id name } } }
			pageInfo { endCursor hasNextPage }
		}
	}`,
	"E": `mutation E($input: UpdateDeviceInput!) { updateDevice(input: $input) { device { id name assetTag } } }`,
	"F": `query F($first: Int!) {
		alerts(filter: {open: true}, orderBy: {field: LAST_OCCURRED_AT, direction: DESC}, first: $first) {
			edges { node { id type severity title lastOccurredAt organization { id name } } }
		}
	}`,
}

var queries = []query{
	{
		letter: "A", title: "one device by id", most: 2,
		pairs: func(w *world, _ int) ([]pair, error) {
			return each(w.sample.Devices, func(id string) (pair, error) {
				return w.pair("A", map[string]any{"id": id}, "", "/a?"+url.Values{"id": {id}}.Encode())
			})
		},
	},
	{
		letter: "B", title: "50 devices of an organization, filtered, ordered, with count", most: 3,
		pairs: func(w *world, rows int) ([]pair, error) {
			return each(w.sample.Organizations, func(id string) (pair, error) {
				return w.pair("B", map[string]any{"platform": "MACOS", "first": rows}, id, "/b?"+url.Values{
					"organization": {id}, "platform": {"MACOS"},
				}.Encode())
			})
		},
	},
	{
		letter: "C", title: "20 organizations with their first 10 devices and their users", most: 4,
		pairs: func(w *world, rows int) ([]pair, error) {
			organizations, devices := min(20, max(2, rows*20/page), w.size.Organizations), max(1, rows*10/page)
			return w.walk("C", "organizations", 100, map[string]any{"first": organizations, "devices": devices}, "/c", url.Values{})
		},
	},
	{
		letter: "D", title: "search over all organizations, page after page", most: 3, over: true,
		pairs: func(w *world, rows int) ([]pair, error) {
			var all []pair
			for _, word := range data.Words {
				prefix := word + "-"
				pages, err := w.walk("D", "devices", 10, map[string]any{"prefix": prefix, "first": rows}, "/d", url.Values{
					"name": {prefix}, "before": {word + "."}, // the character after the hyphen
				})
				if err != nil {
					return nil, err
				}
				all = append(all, pages...)
			}
			return all, nil
		},
	},
	{
		letter: "F", title: "the open alerts of all organizations, newest first", most: 3, over: true,
		pairs: func(w *world, rows int) ([]pair, error) {
			p, err := w.pair("F", map[string]any{"first": rows}, "", "/f")
			return []pair{p}, err
		},
	},
	{ // the last, because it changes what the others read
		letter: "E", title: "an update of one device, with audit", writes: true,
		pairs: func(w *world, _ int) ([]pair, error) {
			n := 0
			return each(w.sample.Devices, func(id string) (pair, error) {
				n++
				tag := fmt.Sprintf("tag-%d", n)
				p, err := w.pair("E", map[string]any{"input": map[string]any{"id": id, "assetTag": tag}}, "", "")
				p.limit = load.Post(w.limitAddr, "/e?"+url.Values{"id": {id}, "tag": {tag}}.Encode(), nil, nil)
				return p, err
			})
		},
	},
}

func queryOf(letter string) (query, error) {
	i := slices.IndexFunc(queries, func(q query) bool { return q.letter == letter })
	if i < 0 {
		return query{}, fmt.Errorf("no query %q", letter)
	}
	return queries[i], nil
}

func each(ids []string, lay func(id string) (pair, error)) ([]pair, error) {
	pairs := make([]pair, 0, len(ids))
	for _, id := range ids {
		p, err := lay(id)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// world is what the requests are about, and where they go.
type world struct {
	size                data.Size
	sample              data.Sample
	key                 string // the caller's API key
	oursAddr, limitAddr string
	ask                 func(request []byte) ([]byte, error) // our server
}

// pair lays one request out. The organization is the header's; empty for none.
func (w *world) pair(letter string, variables map[string]any, organization, limitPath string) (pair, error) {
	body, err := json.Marshal(map[string]any{"query": documents[letter], "operationName": letter, "variables": variables})
	if err != nil {
		return pair{}, err
	}
	header := http.Header{"X-Api-Key": {w.key}}
	if organization != "" {
		header.Set(tenancy.Header, organization)
	}
	return pair{
		ours:  load.Post(w.oursAddr, "/graphql", header, body),
		limit: load.Get(w.limitAddr, limitPath),
	}, nil
}

// walk lays out the requests for the pages of a connection, by following our
// server's cursors; the limit is told the last row's name and id.
func (w *world) walk(letter, field string, most int, variables map[string]any, limitPath string, arguments url.Values) ([]pair, error) {
	var pairs []pair
	for range most {
		p, err := w.pair(letter, variables, "", limitPath+"?"+arguments.Encode())
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
		answer, err := w.ask(p.ours)
		if err != nil {
			return nil, fmt.Errorf("page %d of %s: %w", len(pairs), letter, err)
		}
		var response struct {
			Data map[string]struct {
				Edges    []struct{ Node struct{ ID, Name string } }
				PageInfo struct {
					EndCursor   string
					HasNextPage bool
				}
			}
		}
		if err := json.Unmarshal(answer, &response); err != nil {
			return nil, fmt.Errorf("page %d of %s: %w", len(pairs), letter, err)
		}
		found := response.Data[field]
		if !found.PageInfo.HasNextPage || len(found.Edges) == 0 {
			if len(pairs) > 1 {
				pairs = pairs[:len(pairs)-1] // a last page that may be short would cost less than the others
			}
			return pairs, nil
		}
		last := found.Edges[len(found.Edges)-1].Node
		variables["after"] = found.PageInfo.EndCursor
		arguments.Set("name", last.Name)
		arguments.Set("id", last.ID)
	}
	return pairs, nil
}

func oursOf(pairs []pair) [][]byte {
	list := make([][]byte, len(pairs))
	for i, p := range pairs {
		list[i] = p.ours
	}
	return list
}

func limitOf(pairs []pair) [][]byte {
	list := make([][]byte, len(pairs))
	for i, p := range pairs {
		list[i] = p.limit
	}
	return list
}
