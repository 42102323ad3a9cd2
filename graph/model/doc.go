// Package model holds the generated inputs and payloads of the GraphQL API.
package model
