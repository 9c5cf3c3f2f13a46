"""Services of other shapes: hooks, envelopes, answers that are fetched later, and chats that are streamed."""
