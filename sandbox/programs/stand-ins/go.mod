module mangakai.example/sandbox/stand-ins

go 1.26.0

require (
	github.com/elastic/go-lumber v0.1.0
	go.yaml.in/yaml/v3 v3.0.6
)

require github.com/klauspost/compress v1.20.4 // indirect
