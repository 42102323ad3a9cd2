package main_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// curl does what curl does with the options that the documentation uses, and
// refuses all others.
func curl(args []string, out, complaints io.Writer) int {
	request, err := http.NewRequest(http.MethodGet, "", nil)
	if err != nil {
		fmt.Fprintln(complaints, err)
		return 2
	}
	limit, trailer := 30*time.Second, ""
	value := func(i *int) string {
		*i++
		return args[*i]
	}
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "-s", arg == "-sS", arg == "-sN":
		case arg == "-w":
			trailer = strings.ReplaceAll(value(&i), `\n`, "\n")
		case arg == "--max-time":
			if limit, err = time.ParseDuration(value(&i) + "s"); err != nil {
				return 2
			}
		case arg == "-H":
			name, text, _ := strings.Cut(value(&i), ":")
			request.Header.Set(name, strings.TrimSpace(text))
		case arg == "-d":
			request.Method, request.Body = http.MethodPost, io.NopCloser(strings.NewReader(value(&i)))
		case strings.HasPrefix(arg, "http://"):
			if request.URL, err = request.URL.Parse(arg); err != nil {
				return 3
			}
		default:
			fmt.Fprintf(complaints, "curl: %s is not an option here\n", arg)
			return 2
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	response, err := http.DefaultTransport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		fmt.Fprintln(complaints, "curl:", err)
		return 7
	}
	defer response.Body.Close()
	_, err = io.Copy(out, response.Body)
	if ctx.Err() != nil {
		return 28
	}
	if err != nil {
		fmt.Fprintln(complaints, "curl:", err)
		return 18
	}
	fmt.Fprint(out, trailer)
	return 0
}
