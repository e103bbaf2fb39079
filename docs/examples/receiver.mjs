// A webhook receiver: verifies every delivery, and takes each event once.
//
//     npm install standardwebhooks
//     WEBHOOK_SECRET=whsec_... node receiver.mjs 9000

import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
const seen = new Set(); // In your service: a unique column, written in one transaction with what the event changes.

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let event;
  try {
    event = webhook.verify(Buffer.concat(chunks).toString("utf8"), request.headers);
  } catch {
    response.writeHead(400).end();
    return;
  }
  if (!seen.has(request.headers["webhook-id"])) {
    seen.add(request.headers["webhook-id"]);
    const comment = event.data.comment ?? {};
    console.log(event.type, comment.id ?? "-", comment.state ?? "-");
  }
  response.writeHead(204).end();
}).listen(Number(process.argv[2]), "127.0.0.1");
