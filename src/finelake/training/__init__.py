"""From published files to a tuned model that answers: upload, job, watch, deployment, test chats."""
