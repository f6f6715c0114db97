// Answers questions about notes, trees and proofs with the code of the Go checksum database, so that
// a test can compare its answers with ours. One JSON object a line in, one JSON object a line out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Ask     string      `json:"ask"`
	Note    []byte      `json:"note"`
	Keys    []string    `json:"keys"`
	Records [][]byte    `json:"records"`
	Leaves  []tlog.Hash `json:"leaves"`
	Size    int64       `json:"size"`
	Root    tlog.Hash   `json:"root"`
	Index   int64       `json:"index"`
	Leaf    tlog.Hash   `json:"leaf"`
	OldSize int64       `json:"old_size"`
	OldRoot tlog.Hash   `json:"old_root"`
	Proof   []tlog.Hash `json:"proof"`
	Level   int         `json:"level"`
	Width   int         `json:"width"`
}

type answer struct {
	Refused    string      `json:"refused,omitempty"`
	Text       string      `json:"text,omitempty"`
	Verified   []string    `json:"verified,omitempty"`
	Unverified []string    `json:"unverified,omitempty"`
	Hashes     []tlog.Hash `json:"hashes,omitempty"`
	Path       string      `json:"path,omitempty"`
	Contents   []byte      `json:"contents,omitempty"`
}

// tree holds the hashes of complete subtrees in the order in which tlog numbers them.
type tree []tlog.Hash

func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, 0, len(indexes))
	for _, index := range indexes {
		if index >= int64(len(t)) {
			return nil, fmt.Errorf("no hash %d of %d", index, len(t))
		}
		found = append(found, t[index])
	}
	return found, nil
}

func grow(leaves []tlog.Hash) (tree, error) {
	var grown tree
	for number, leaf := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(number), leaf, grown)
		if err != nil {
			return nil, err
		}
		grown = append(grown, more...)
	}
	return grown, nil
}

func open(signed []byte, keys []string) (answer, error) {
	var known []note.Verifier
	for _, key := range keys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return answer{}, err
		}
		known = append(known, verifier)
	}
	opened, err := note.Open(signed, note.VerifierList(known...))
	if err != nil {
		return answer{}, err
	}
	result := answer{Text: opened.Text}
	for _, signature := range opened.Sigs {
		result.Verified = append(result.Verified, signature.Name)
	}
	for _, signature := range opened.UnverifiedSigs {
		result.Unverified = append(result.Unverified, signature.Name)
	}
	return result, nil
}

func reply(asked question, grown *tree) (result answer, err error) {
	switch asked.Ask {
	case "open":
		return open(asked.Note, asked.Keys)
	case "hash records":
		for _, record := range asked.Records {
			result.Hashes = append(result.Hashes, tlog.RecordHash(record))
		}
	case "grow":
		*grown, err = grow(asked.Leaves)
	case "root":
		var root tlog.Hash
		root, err = tlog.TreeHash(asked.Size, *grown)
		result.Hashes = []tlog.Hash{root}
	case "prove record":
		result.Hashes, err = tlog.ProveRecord(asked.Size, asked.Index, *grown)
	case "prove tree":
		result.Hashes, err = tlog.ProveTree(asked.Size, asked.OldSize, *grown)
	case "check record":
		err = tlog.CheckRecord(asked.Proof, asked.Size, asked.Root, asked.Index, asked.Leaf)
	case "check tree":
		err = tlog.CheckTree(asked.Proof, asked.Size, asked.Root, asked.OldSize, asked.OldRoot)
	case "tile":
		tile := tlog.Tile{H: 8, L: asked.Level, N: asked.Index, W: asked.Width}
		result.Path = tile.Path()
		result.Contents, err = tlog.ReadTileData(tile, *grown)
	default:
		log.Fatalf("nobody can answer %q", asked.Ask)
	}
	return result, err
}

func main() {
	var grown tree
	questions := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(out)
	for questions.More() {
		var asked question
		if err := questions.Decode(&asked); err != nil {
			log.Fatal(err)
		}
		result, err := reply(asked, &grown)
		if err != nil {
			result.Refused = err.Error()
		}
		if err := answers.Encode(result); err != nil {
			log.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}
