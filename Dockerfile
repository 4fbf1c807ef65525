# syntax=docker/dockerfile:1

# The binary is static and carries its own time zones and migrations, so the
# image holds nothing else but the certificates to trust Stripe by.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=dev
ARG COMMIT=
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" \
    -o /out/purser ./cmd/purser

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/purser /purser
# A number, since there is no /etc/passwd to look a name up in, and since
# Kubernetes wants to see that it isn't root's.
USER 65532:65532
ENV PURSER_LISTEN=:8080 PURSER_CATALOG=/etc/purser/plans.yaml
EXPOSE 8080
ENTRYPOINT ["/purser"]
CMD ["serve"]
