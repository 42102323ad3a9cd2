package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/bailiwick/bailiwick/internal/secret"
)

// console is where a command reads and writes. What a script wants goes to
// out, what a person wants to err.
type console struct {
	in       *os.File
	out, err *os.File
}

// printf writes a result. That it cannot be written is an error: some results
// are shown only once.
func (c console) printf(format string, args ...any) error {
	if _, err := fmt.Fprintf(c.out, format, args...); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// tell writes to a person, who may not be there.
func (c console) tell(format string, args ...any) { c.show(fmt.Sprintf(format+"\n", args...)) }

func (c console) show(text string) { _, _ = c.err.WriteString(text) }

// complain prints each line of an error, and where help is to be had if the
// command line was wrong.
func (c console) complain(err error) {
	for line := range strings.Lines(err.Error()) {
		c.tell("bailiwick: %s", strings.TrimRight(line, "\n"))
	}
	if _, usage := errors.AsType[usageError](err); usage {
		c.tell(`Run "bailiwick --help", or --help after a command, for how it is used.`)
	}
}

// terminal says whether a person sees what goes to err.
func (c console) terminal() bool { return term.IsTerminal(int(c.err.Fd())) }

// maxPasswordFile bounds a password file, in bytes; a password has at most 256.
const maxPasswordFile = 4096

// readPassword reads a password from a file, or from standard input for "-".
// One line ending at the end is not part of it.
func (c console) readPassword(path string) (secret.Text, error) {
	file := c.in
	if path != "-" {
		var err error
		if file, err = os.Open(path); err != nil {
			return secret.Text{}, fmt.Errorf("--password-file: %w", err)
		}
		defer func() { _ = file.Close() }() // it was only read
	}
	content, err := io.ReadAll(io.LimitReader(file, maxPasswordFile+1))
	if err != nil {
		return secret.Text{}, fmt.Errorf("--password-file: %w", err)
	}
	if len(content) > maxPasswordFile {
		return secret.Text{}, usageError{errors.New("--password-file: longer than 4 KiB, so no password")}
	}
	content = bytes.TrimSuffix(bytes.TrimSuffix(content, []byte("\n")), []byte("\r"))
	if len(content) == 0 {
		return secret.Text{}, usageError{errors.New("--password-file: it is empty")}
	}
	return secret.NewText(string(content)), nil
}

// askPassword asks for a new password twice, without showing it.
func (c console) askPassword() (secret.Text, error) {
	if !term.IsTerminal(int(c.in.Fd())) {
		return secret.Text{}, usageError{errors.New(
			"standard input is no terminal to ask for a password on: give --password-file FILE (- for standard input) or --generate-password")}
	}
	first, err := c.prompt("Password (12 to 256 characters): ")
	if err != nil {
		return secret.Text{}, err
	}
	second, err := c.prompt("The same again: ")
	if err != nil {
		return secret.Text{}, err
	}
	if !first.Equal(second) {
		return secret.Text{}, errors.New("the two passwords differ: nothing was created")
	}
	return first, nil
}

func (c console) prompt(question string) (secret.Text, error) {
	c.show(question)
	typed, err := term.ReadPassword(int(c.in.Fd()))
	c.tell("")
	if err != nil {
		return secret.Text{}, fmt.Errorf("read the password: %w", err)
	}
	return secret.NewText(string(typed)), nil
}
