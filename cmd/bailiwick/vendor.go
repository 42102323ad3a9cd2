package main

import (
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/bailiwick/bailiwick/internal/applemdm/pushcert"
)

type vendorGroup struct {
	Init vendorInit `cmd:"" help:"Make the key of an MDM vendor certificate, and the request to upload to Apple."`
}

// vendorInit makes a vendor's key and request. It touches no database.
type vendorInit struct {
	Dir        string `default:"." placeholder:"DIR" help:"Directory for vendor.key and vendor.csr. Default: the current one."`
	Name       string `required:"" help:"The provider's name, as Apple's developer account has it."`
	Country    string `required:"" placeholder:"CC" help:"The provider's country: two letters, such as US."`
	passphrase `embed:""`
}

// Help implements kong.HelpProvider.
func (vendorInit) Help() string {
	return `Once for the whole deployment: with the certificate that Apple makes of the request, Bailiwick signs the organizations' requests for push certificates. The key is encrypted with a password; without --password-file or --generate-password it is asked for, twice, and not shown. Files that exist are never overwritten. What comes next is told in docs/apple-mdm-certificates.md.

Examples:

	bailiwick vendor-certificate init --name "Northwind MSP" --country US
	bailiwick vendor-certificate init --name "Northwind MSP" --country US --dir /etc/bailiwick --generate-password

` + exitCodes
}

const (
	vendorKeyFile     = "vendor.key"
	vendorRequestFile = "vendor.csr"
	minPassword       = 12
)

var country = regexp.MustCompile(`^[A-Za-z]{2}$`)

// Run makes the files.
func (v *vendorInit) Run(c console) error {
	if !country.MatchString(v.Country) {
		return usageError{errors.New("--country: must be two letters, such as US")}
	}
	keyPath, requestPath := filepath.Join(v.Dir, vendorKeyFile), filepath.Join(v.Dir, vendorRequestFile)
	for _, path := range []string{keyPath, requestPath} {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s exists already: nothing was made. Whoever replaces a vendor key needs a new certificate of Apple's", path)
		}
	}
	password, err := v.password(c)
	if err != nil {
		return err
	}
	if len(password.Reveal()) < minPassword {
		return fmt.Errorf("the password has less than %d characters: nothing was made", minPassword)
	}
	request, key, err := pushcert.NewVendorRequest(
		pkix.Name{CommonName: v.Name + " MDM vendor", Organization: []string{v.Name}, Country: []string{v.Country}}, password.Reveal())
	if err != nil {
		return err
	}
	if err := writeNew(keyPath, key, 0o600); err != nil {
		return err
	}
	if err := writeNew(requestPath, request, 0o644); err != nil {
		return errors.Join(err, os.Remove(keyPath))
	}
	result := fmt.Sprintf("key      %s\nrequest  %s\n", keyPath, requestPath)
	if v.GeneratePassword {
		result += fmt.Sprintf("password %s\n", password.Reveal())
	}
	return c.printf("%s", result)
}

// writeNew writes a file that must not exist.
func writeNew(path string, content []byte, mode os.FileMode) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err = file.Write(content); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	return file.Sync()
}
