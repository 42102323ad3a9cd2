package plist_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bailiwick/bailiwick/internal/applemdm/plist"
)

const head = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">`

func document(value string) []byte { return []byte(head + value + "</plist>\n") }

func TestDecode(t *testing.T) {
	var got struct {
		Name   string
		Size   int64
		Flag   *bool
		Absent *bool
		Data   []byte
		When   time.Time
		List   []string
	}
	require.NoError(t, plist.Decode(document(`<!-- a comment --><dict>
		<key>Name</key><string>R&amp;D <![CDATA[<dict>]]></string>
		<key>Size</key><integer>-3</integer>
		<key>Flag</key><false/>
		<key>Unknown</key><array><dict/><true></true></array>
		<key>Data</key><data>
			AAEC
		</data>
		<key>When</key><date>2026-01-02T03:04:05Z</date>
		<key>List</key><array><string>a</string><string/></array>
	</dict>`), &got))
	require.Equal(t, "R&D <dict>", got.Name)
	require.EqualValues(t, -3, got.Size)
	require.NotNil(t, got.Flag)
	require.False(t, *got.Flag)
	require.Nil(t, got.Absent)
	require.Equal(t, []byte{0, 1, 2}, got.Data)
	require.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), got.When)
	require.Equal(t, []string{"a", ""}, got.List)
}

func TestRefused(t *testing.T) {
	// Objects that contain themselves, and each of which is two of the next.
	cyclic, _ := base64.StdEncoding.DecodeString("YnBsaXN0MDChAAgAAAAAAAABAQAAAAAAAAABAAAAAAAAAAAAAAAAAAAACg==")
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"binary":                     {[]byte("bplist00"), plist.ErrBinary},
		"binary, cyclic":             {cyclic, plist.ErrBinary},
		"binary after a space":       {[]byte(" \nbplist00"), plist.ErrBinary},
		"4 MiB and a byte":           {document("<string>" + strings.Repeat("x", plist.MaxBody) + "</string>"), plist.ErrTooLarge},
		"deep":                       {document(strings.Repeat("<array>", 64) + strings.Repeat("</array>", 64)), plist.ErrTooDeep},
		"very deep":                  {document(strings.Repeat("<dict><key>k</key>", 100_000)), plist.ErrTooDeep},
		"many":                       {document("<array>" + strings.Repeat("<true/>", plist.MaxElements) + "</array>"), plist.ErrTooMany},
		"deep behind a comment":      {document(strings.Repeat("<array><!-- </array> -->", 64) + strings.Repeat("</array>", 64)), plist.ErrTooDeep},
		"deep behind text":           {document("<string><![CDATA[</array>]]>" + strings.Repeat("<array>", 70)), plist.ErrMalformed},
		"empty":                      {nil, plist.ErrMalformed},
		"spaces":                     {[]byte("  \n"), plist.ErrMalformed},
		"only a head":                {[]byte(head), plist.ErrMalformed},
		"nothing in it":              {document(""), plist.ErrMalformed},
		"JSON":                       {[]byte(`{"a":1}`), plist.ErrMalformed},
		"not closed":                 {[]byte(head + "<dict>"), plist.ErrMalformed},
		"closed in the wrong order":  {[]byte(head + "<dict><array></dict></array></plist>"), plist.ErrMalformed},
		"no root":                    {[]byte("<dict/>"), plist.ErrMalformed},
		"two roots":                  {append(document("<dict/>"), document("<dict/>")...), plist.ErrMalformed},
		"a root inside":              {document("<array><plist><dict/></plist></array>"), plist.ErrMalformed},
		"text after":                 {append(document("<dict/>"), 'x'), plist.ErrMalformed},
		"text in a dictionary":       {document("<dict>x</dict>"), plist.ErrMalformed},
		"an unknown element":         {document("<dict><key>k</key><null/></dict>"), plist.ErrMalformed},
		"a prefixed element":         {document(`<x:dict xmlns:x="y"></x:dict>`), plist.ErrMalformed},
		"an attribute":               {document(`<array a=">"></array>`), plist.ErrMalformed},
		"elements in text":           {document("<string><string>x</string></string>"), plist.ErrMalformed},
		"entities of its own":        {[]byte(`<!DOCTYPE plist [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><plist><string>&b;</string></plist>`), plist.ErrMalformed},
		"an unknown entity":          {document("<string>&b;</string>"), plist.ErrMalformed},
		"another character set":      {[]byte(`<?xml version="1.0" encoding="UTF-16"?><plist><dict/></plist>`), plist.ErrMalformed},
		"not UTF-8":                  {document("<string>\xff</string>"), plist.ErrMalformed},
		"a NUL":                      {document("<string>&#0;</string>"), plist.ErrMalformed},
		"a value without a key":      {document("<dict><true/></dict>"), plist.ErrMalformed},
		"data that is not base64":    {document("<data>!</data>"), plist.ErrMalformed},
		"a number that is too large": {document("<integer>99999999999999999999</integer>"), plist.ErrMalformed},
		"a date that is not":         {document("<date>yesterday</date>"), plist.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			var got any
			require.ErrorIs(t, plist.Decode(c.body, &got), c.want)
		})
	}
}

// The last document within each limit is accepted.
func TestLimits(t *testing.T) {
	var got any
	require.NoError(t, plist.Decode(document(strings.Repeat("<array>", 63)+strings.Repeat("</array>", 63)), &got))
	require.NoError(t, plist.Decode(document("<array>"+strings.Repeat("<true/>", plist.MaxElements-2)+"</array>"), &got))
	full := document("<string>" + strings.Repeat("x", plist.MaxBody-len(document("<string></string>"))) + "</string>")
	require.Len(t, full, plist.MaxBody)
	require.NoError(t, plist.Decode(full, &got))

	body, err := plist.Read(bytes.NewReader(full))
	require.NoError(t, err)
	require.Equal(t, full, body)
	_, err = plist.Read(bytes.NewReader(append(full, ' ')))
	require.ErrorIs(t, err, plist.ErrTooLarge)
}

func TestErrorsShowNoValue(t *testing.T) {
	var got struct{ PIN int }
	err := plist.Decode(document("<dict><key>PIN</key><string>hunter2</string></dict>"), &got)
	require.ErrorIs(t, err, plist.ErrMalformed)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestEncode(t *testing.T) {
	in := map[string]any{"b": []byte{1, 2}, "a": "R&D\n", "c": true, "d": []string{"x"}, "e": uint64(7), "f": 1.5}
	body, err := plist.Encode(in)
	require.NoError(t, err)
	again, err := plist.Encode(in)
	require.NoError(t, err)
	require.Equal(t, string(body), string(again))
	var out map[string]any
	require.NoError(t, plist.Decode(body, &out))
	require.Equal(t, map[string]any{"b": []byte{1, 2}, "a": "R&D\n", "c": true, "d": []any{"x"}, "e": uint64(7), "f": 1.5}, out)

	for _, v := range []any{nil, map[string]any{"a": nil}, func() {}, map[int]string{1: "a"}} {
		_, err := plist.Encode(v)
		require.Error(t, err)
	}
}

func TestClip(t *testing.T) {
	require.Equal(t, "äöü", plist.Clip("äöü", 3))
	require.Equal(t, "äö", plist.Clip("äöü", 2))
}

// No document ends the process, and what is decoded is again a document.
// requireSame: what Flat reads, Decode reads in the same way. A key that is
// there twice has the last value.
func requireSame(t *testing.T, body []byte) bool {
	t.Helper()
	texts, ok := plist.Flat(body)
	if !ok {
		return false
	}
	flat, decoded := map[string]string{}, map[string]string{}
	for _, text := range texts {
		flat[text.Key] = text.Value
	}
	require.NoError(t, plist.Decode(body, &decoded))
	require.Equal(t, decoded, flat)
	return true
}

const flat = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Status</key>
	<string>Idle</string>
	<key>UDID</key>
	<string> 0000-1 </string>
</dict>
</plist>
`

func TestFlat(t *testing.T) {
	require.True(t, requireSame(t, []byte(flat)))
	encoded, err := plist.Encode(map[string]string{"Status": "Idle", "CommandUUID": "1", "Empty": ""})
	require.NoError(t, err)
	require.True(t, requireSame(t, encoded))
	texts, _ := plist.Flat([]byte(flat))
	require.Equal(t, []plist.Text{{Key: "Status", Value: "Idle"}, {Key: "UDID", Value: " 0000-1 "}}, texts)
	for name, body := range map[string]string{
		"a number":       strings.Replace(flat, "<string>Idle</string>", "<integer>1</integer>", 1),
		"a reference":    strings.Replace(flat, "Idle", "&#73;dle", 1),
		"a comment":      strings.Replace(flat, "Idle", "<!-- -->Idle", 1),
		"beyond ASCII":   strings.Replace(flat, "Idle", "Idlé", 1),
		"a line end":     strings.Replace(flat, "Idle", "Idle\r\n", 1),
		"no value":       strings.Replace(flat, "<string>Idle</string>", "", 1),
		"more behind":    flat + "<",
		"cut":            flat[:len(flat)-10],
		"another prolog": strings.Replace(flat, "UTF-8", "UTF-16", 1),
		"empty":          "",
		"long":           strings.Replace(flat, "Idle", strings.Repeat("x", 4<<10), 1),
	} {
		_, ok := plist.Flat([]byte(body))
		require.False(t, ok, name)
	}
	for at := range flat { // altered anywhere, it is left to the decoder or read alike
		for change := 1; change < 256; change <<= 1 {
			altered := []byte(flat)
			altered[at] ^= byte(change)
			requireSame(t, altered)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(document(`<dict><key>a</key><array><string>b</string><integer>1</integer><real>1.5</real><true/><data>AA==</data><date>2026-01-02T03:04:05Z</date></array></dict>`))
	f.Add(document(strings.Repeat("<array>", 70)))
	f.Add([]byte(`<!DOCTYPE plist [<!ENTITY a "b">]><plist><string>&a;</string></plist>`))
	f.Add([]byte("bplist00"))
	f.Add(document(`<!----><dict><!-- > --></dict><!-->`))
	f.Add([]byte(flat))
	f.Fuzz(func(t *testing.T, body []byte) {
		requireSame(t, body)
		var typed struct {
			UDID  string
			Data  []byte
			Count int8
			Chain []struct{ ErrorCode int }
			When  *time.Time
		}
		_ = plist.Decode(body, &typed)
		var value any
		err := plist.Decode(body, &value)
		if err != nil {
			known := false
			for _, want := range []error{plist.ErrBinary, plist.ErrTooLarge, plist.ErrTooDeep, plist.ErrTooMany, plist.ErrMalformed} {
				known = known || errors.Is(err, want)
			}
			require.True(t, known, err)
			return
		}
		require.LessOrEqual(t, depth(value), plist.MaxDepth)
		_, err = plist.Encode(value)
		require.NoError(t, err)
	})
}

func depth(value any) int {
	deepest := 0
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			deepest = max(deepest, depth(item))
		}
	case map[string]any:
		for _, item := range v {
			deepest = max(deepest, depth(item))
		}
	}
	return deepest + 1
}

func BenchmarkCheck(b *testing.B) {
	body := document("<dict>" + strings.Repeat("<key>Name</key><string>some text</string>", 20) + "</dict>")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := plist.Check(body); err != nil {
			b.Fatal(err)
		}
	}
}
