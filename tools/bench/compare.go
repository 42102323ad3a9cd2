package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/bailiwick/bailiwick/tools/bench/load"
)

// verify asks both servers the same, for a sample of the requests, and fails
// where they do not answer the same: a fast wrong answer is worth nothing.
func verify(q query, pairs []pair, ours, limit *load.Pool) error {
	const sampled = 20
	for i := 0; i < len(pairs); i += max(1, len(pairs)/sampled) {
		mine, err := ours.Once(pairs[i].ours)
		if err != nil {
			return fmt.Errorf("our server, %s: %w", q.letter, err)
		}
		its, err := limit.Once(pairs[i].limit)
		if err != nil {
			return fmt.Errorf("the limit, %s: %w", q.letter, err)
		}
		if err := same(mine, its); err != nil {
			return fmt.Errorf("query %s, request %d: %w", q.letter, i, err)
		}
	}
	return nil
}

func same(ours, limit []byte) error {
	mine, err := values(ours)
	if err != nil {
		return err
	}
	its, err := values(limit)
	if err != nil {
		return err
	}
	if len(mine) == 0 {
		return errors.New("an empty answer")
	}
	for i := range min(len(mine), len(its)) {
		if mine[i] != its[i] {
			return fmt.Errorf("value %d of the answer is %s, and should be %s", i, mine[i], its[i])
		}
	}
	if len(mine) != len(its) {
		return fmt.Errorf("the answer has %d values, and should have %d", len(mine), len(its))
	}
	return nil
}

// values lists an answer's fields in their order, without the layers around
// them: GraphQL's edges and nodes are no part of the data.
func values(answer []byte) ([]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	var list []string
	var objects []bool // for each open object or array, whether it is an object
	key, named := "", false
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		if delim, ok := token.(json.Delim); ok {
			named = false
			switch delim {
			case '{', '[':
				objects = append(objects, delim == '{')
			default:
				objects = objects[:len(objects)-1]
			}
			continue
		}
		if text, ok := token.(string); ok && !named && len(objects) > 0 && objects[len(objects)-1] {
			key, named = text, true
			continue
		}
		named = false
		if !slices.Contains([]string{"endCursor", "hasNextPage"}, key) {
			list = append(list, fmt.Sprintf("%s=%v", key, token))
		}
	}
}
