package graph

import (
	"encoding/base64"
	"strings"

	"github.com/bailiwick/bailiwick/graph/model"
	"github.com/bailiwick/bailiwick/internal/applemdm"
	"github.com/bailiwick/bailiwick/internal/applemdm/pushcert"
	"github.com/bailiwick/bailiwick/internal/fault"
)

// pushUpload reads the files of an upload.
func pushUpload(input model.UploadPushCertificateInput) (applemdm.PushUpload, error) {
	upload := applemdm.PushUpload{AppleMdmID: input.AppleMdmID, CreatorAppleID: input.CreatorAppleID, Force: input.Force}
	certificate, err := file("input.certificate", input.Certificate)
	if err != nil {
		return upload, err
	}
	upload.Upload = pushcert.Upload{Certificate: certificate}
	if input.PrivateKey != nil {
		if upload.Key, err = file("input.privateKey", *input.PrivateKey); err != nil {
			return upload, err
		}
	}
	if input.Passphrase != nil {
		upload.Passphrase = *input.Passphrase
	}
	return upload, nil
}

// file is the content of a file: PEM as it is, and anything else from base64.
func file(field, text string) ([]byte, error) {
	if strings.Contains(text, "-----BEGIN ") {
		return []byte(text), nil
	}
	content, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fault.Invalid(field, "must be PEM text, or a file in base64").Wrap(err)
	}
	return content, nil
}
