package psa

import (
	"html"
	"regexp"
	"strings"
)

// maxVendorText bounds how much of a vendor's text an error keeps, in
// characters: enough for a list of invalid fields, too little to fill a log.
const maxVendorText = 500

var titleTag = regexp.MustCompile(`(?is)<title[^>]*>(.{0,500}?)</title>`)

// pageTitle says what an HTML page is in its own words: the title. Text that
// is no page stands for itself.
func pageTitle(body string) string {
	if m := titleTag.FindStringSubmatch(body); m != nil {
		return FitLine(html.UnescapeString(m[1]), maxVendorText)
	}
	if strings.HasPrefix(strings.TrimSpace(body), "<") {
		return "an HTML page"
	}
	return FitLine(body[:min(len(body), 4*maxVendorText)], maxVendorText)
}

func redact(text string, secrets []string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "[redacted]")
		}
	}
	return text
}
