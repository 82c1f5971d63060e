#!/bin/sh
# Installs the published Realm JS (WebAssembly build) and what it needs into DIR (default
# build/interop). Nothing happens when it is there already.
set -eu
dir=${1:-build/interop}
if [ -f "$dir/ready" ]; then exit 0; fi
mkdir -p "$dir/static"
cd "$dir"
[ -f package.json ] || echo '{"private":true}' >package.json
npm install --no-save --no-package-lock --no-audit --no-fund --loglevel=error \
    ws@8.18.0 bson@4.7.0 debug@4.3.7 playwright-core@1.55.0
tarball=$(npm pack --loglevel=error realm@12.0.0-browser.2 | tail -n 1)
tar xzf "$tarball"
cp package/dist/bundle.browser.mjs package/dist/realm-js-wasm.mjs package/dist/realm-js-wasm.wasm static/
cp node_modules/bson/dist/bson.browser.esm.js static/bson.mjs
rm -rf package "$tarball"
touch ready
