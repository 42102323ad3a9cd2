package mdm

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// Message is what a device says, signed.
type Message struct {
	Checkin   bool // otherwise it is a report on a command
	Body      []byte
	Signature string
}

// Put lays out the request that carries a message to a path.
func (m Message) Put(host, path string) []byte {
	kind := "application/x-apple-aspen-mdm"
	if m.Checkin {
		kind += "-checkin"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "PUT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: mdmclient/1000\r\nContent-Type: %s\r\nMdm-Signature: %s\r\nContent-Length: %d\r\n\r\n",
		path, host, kind, m.Signature, len(m.Body))
	b.Write(m.Body)
	return b.Bytes()
}

const (
	head = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
`
	tail = "</plist>\n"
)

// Plist is a property list around an element.
func Plist(element string) []byte { return []byte(head + element + tail) }

// text is a key of a dictionary with a text, of letters that need no escape.
func text(key, value string) string {
	return fmt.Sprintf("\t<key>%s</key>\n\t<string>%s</string>\n", key, value)
}

func data(key string, value []byte) string {
	return fmt.Sprintf("\t<key>%s</key>\n\t<data>%s</data>\n", key, base64.StdEncoding.EncodeToString(value))
}

// Say signs a message with these entries of its dictionary, beside the UDID.
func (d *Device) Say(checkin bool, entries string) (Message, error) {
	body := Plist("<dict>\n" + text("UDID", d.UDID) + entries + "</dict>\n")
	signature, err := d.sign(body)
	return Message{Checkin: checkin, Body: body, Signature: signature}, err
}

// Checkin is a check-in message of a type, with more entries.
func (d *Device) Checkin(kind, entries string) (Message, error) {
	return d.Say(true, text("MessageType", kind)+entries)
}

// Authenticate begins an enrolment, of a Mac.
func (d *Device) Authenticate() (Message, error) {
	return d.Checkin("Authenticate", text("Topic", Topic)+text("DeviceName", "Mac "+d.Serial)+text("SerialNumber", d.Serial)+
		text("Model", "Mac15,3")+text("ModelName", "MacBook Pro")+text("ProductName", "Mac15,3")+
		text("OSVersion", "15.1")+text("BuildVersion", "24B83"))
}

// TokenUpdate completes an enrolment.
func (d *Device) TokenUpdate() (Message, error) {
	return d.Checkin("TokenUpdate", text("Topic", Topic)+text("PushMagic", d.UDID)+data("Token", d.PushToken()))
}

// CheckOut ends an enrolment.
func (d *Device) CheckOut() (Message, error) { return d.Checkin("CheckOut", text("Topic", Topic)) }

// SetBootstrapToken hands over a token.
func (d *Device) SetBootstrapToken() (Message, error) {
	return d.Checkin("SetBootstrapToken", data("BootstrapToken", d.PushToken()))
}

// Idle asks for a command.
func (d *Device) Idle() (Message, error) { return d.Say(false, text("Status", "Idle")) }

// Report says what became of a command: Acknowledged, Error, NotNow or
// CommandFormatError.
func (d *Device) Report(status, commandUUID string) (Message, error) {
	return d.Say(false, text("Status", status)+text("CommandUUID", commandUUID))
}

// Restart is a command as it is sent: what NanoMDM is given to enqueue.
func Restart(commandUUID string) []byte {
	return Plist("<dict>\n" + text("CommandUUID", commandUUID) +
		"\t<key>Command</key>\n\t<dict>\n\t\t<key>RequestType</key>\n\t\t<string>RestartDevice</string>\n\t</dict>\n</dict>\n")
}
