package plist

import "bytes"

// element is what a document may be made of.
type element struct {
	name string
	leaf bool // holds text, and no elements
}

// elements are those of Apple's document type definition.
var elements = map[string]element{
	"plist": {"plist", false}, "dict": {"dict", false}, "array": {"array", false},
	"key": {"key", true}, "string": {"string", true}, "integer": {"integer", true}, "real": {"real", true},
	"data": {"data", true}, "date": {"date", true}, "true": {"true", true}, "false": {"false", true},
}

// Check says whether a document is within the limits and well formed as far as
// nesting goes. It allocates nothing per element, so that refusing is cheaper
// than sending. What it accepts, an XML parser sees with the same nesting: it
// refuses attributes outside the root, names with a prefix, and internal
// subsets, in which a parser could see elements that it did not.
func Check(body []byte) error {
	if len(body) > MaxBody {
		return ErrTooLarge
	}
	rest := bytes.TrimLeft(body, " \t\r\n")
	if bytes.HasPrefix(rest, []byte("bplist")) {
		return ErrBinary
	}
	g := guard{open: make([]element, 0, MaxDepth)}
	for {
		at := bytes.IndexByte(rest, '<')
		text := rest
		if at >= 0 {
			text = rest[:at]
		}
		if !g.inLeaf() && len(bytes.Trim(text, " \t\r\n")) > 0 {
			return malformed("text outside an element")
		}
		if at < 0 {
			break
		}
		length, err := g.markup(rest[at:])
		if err != nil {
			return err
		}
		rest = rest[at+length:]
	}
	if len(g.open) > 0 || g.elements == 0 {
		return malformed("it ends early")
	}
	return nil
}

// guard follows a document's nesting.
type guard struct {
	open     []element
	elements int
}

func (g *guard) inLeaf() bool {
	return len(g.open) > 0 && g.open[len(g.open)-1].leaf
}

// markup reads what begins with "<" and returns its length.
func (g *guard) markup(rest []byte) (int, error) {
	outside := len(g.open) == 0
	switch {
	case bytes.HasPrefix(rest, []byte("<?")):
		if !outside || g.elements > 0 {
			return 0, malformed("a processing instruction inside")
		}
		return through(rest, 2, "?>")
	case bytes.HasPrefix(rest, []byte("<!--")):
		return through(rest, 4, "-->")
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		if !g.inLeaf() {
			return 0, malformed("text outside an element")
		}
		return through(rest, 9, "]]>")
	case bytes.HasPrefix(rest, []byte("<!")):
		if !outside || g.elements > 0 {
			return 0, malformed("a declaration inside")
		}
		length, err := through(rest, 2, ">")
		if err == nil && bytes.ContainsAny(rest[2:length], "<[") {
			return 0, malformed("a document type with declarations of its own")
		}
		return length, err
	case bytes.HasPrefix(rest, []byte("</")):
		length, err := through(rest, 2, ">")
		if err != nil {
			return 0, err
		}
		return length, g.end(bytes.TrimRight(rest[2:length-1], " \t\r\n"))
	default:
		length, err := through(rest, 1, ">")
		if err != nil {
			return 0, err
		}
		return length, g.start(rest[1 : length-1])
	}
}

// start reads what is between "<" and ">".
func (g *guard) start(tag []byte) error {
	tag, empty := bytes.CutSuffix(tag, []byte("/"))
	name := tag
	if cut := bytes.IndexAny(tag, " \t\r\n"); cut >= 0 {
		name = tag[:cut]
		if string(name) != "plist" && len(bytes.Trim(tag[cut:], " \t\r\n")) > 0 {
			return malformed("attributes outside the root")
		}
	}
	found, known := elements[string(name)]
	switch {
	case !known:
		return malformed("an unknown element")
	case bytes.IndexByte(tag, '<') >= 0:
		return malformed("a tag inside a tag")
	case len(g.open) == 0 && (g.elements > 0 || string(name) != "plist"), len(g.open) > 0 && string(name) == "plist":
		return malformed("not one plist element")
	case g.inLeaf():
		return malformed("an element inside text")
	case len(g.open) == MaxDepth:
		return ErrTooDeep
	}
	if g.elements++; g.elements > MaxElements {
		return ErrTooMany
	}
	if !empty {
		g.open = append(g.open, found)
	}
	return nil
}

func (g *guard) end(name []byte) error {
	if len(g.open) == 0 || g.open[len(g.open)-1].name != string(name) {
		return malformed("elements that do not close")
	}
	g.open = g.open[:len(g.open)-1]
	return nil
}

func through(rest []byte, from int, mark string) (int, error) {
	at := bytes.Index(rest[from:], []byte(mark))
	if at < 0 {
		return 0, malformed("it ends early")
	}
	return from + at + len(mark), nil
}
