// Reads AsyncAPI documents with the initiative's own parser, Avro payloads included, and fails on whatever it finds beyond
// hints. Run by tests/run from the folder where the parser is installed.
'use strict';
const path = require('node:path');
const { createRequire } = require('node:module');
const installed = createRequire(path.join(process.cwd(), 'package.json'));
const { Parser, fromFile } = installed('@asyncapi/parser');
const { AvroSchemaParser } = installed('@asyncapi/avro-schema-parser');

// A newer AsyncAPI is no fault of a document that says which one it is.
const PASSED_OVER = ['asyncapi-latest-version'];
const PAYLOADS = 'application/vnd.apache.avro;version=1.9.0';

async function check(file) {
  const parser = new Parser();
  parser.registerSchemaParser(AvroSchemaParser());
  const { document, diagnostics } = await fromFile(parser, file).parse();
  const found = diagnostics.filter((it) => !PASSED_OVER.includes(it.code));
  for (const it of found) {
    console.error(`${file}: ${it.code} at /${it.path.join('/')}: ${it.message}`);
  }
  if (document === undefined || found.length > 0) {
    return false;
  }
  const messages = document.messages().all();
  const avro = messages.filter((it) => it.schemaFormat() === PAYLOADS);
  const channels = document.channels().all();
  const operations = document.operations().all();
  console.log(`${file}: AsyncAPI ${document.version()}, ${channels.length} channels, ${operations.length} operations, `
    + `${messages.length} messages, ${avro.length} of them Avro`);
  return avro.length === 4 && operations.length === channels.length;
}

Promise.all(process.argv.slice(2).map(check)).then((good) => process.exit(good.every(Boolean) ? 0 : 1));
