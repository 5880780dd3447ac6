// Generated from openapi.json by `npm run api`. Do not edit.

export interface paths {
    "/api/account": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Ends the caller's account for good and erases everything of it: chats, turns, traces, labels, sign-ins and links. What
         *     was used stays booked, on nobody. Whoever signed in more than ten minutes ago gives the password. The last owner
         *     stays.
         */
        delete: operations["delete_account"];
        options?: never;
        head?: never;
        /** Changes what the caller is called. */
        patch: operations["update_account"];
        trace?: never;
    };
    "/api/account/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Everything kept of the caller as one ZIP archive: each chat as Markdown; chats, turns, traces, usage, sign-ins, links
         *     and what was done to the account as JSON. It is made while it is sent.
         */
        get: operations["export_account"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/account/identities": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the accounts at providers that sign in to the caller's, newest first. */
        get: operations["list_identities"];
        put?: never;
        /**
         * Links an account at a provider to the caller's: by a token, at once, or by sending the browser there. Whoever signed in
         *     more than ten minutes ago gives their password.
         */
        post: operations["link_identity"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/account/identities/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Takes a way in away from the caller's account. The last one stays. */
        delete: operations["unlink_identity"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/account/passkeys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the caller's passkeys, newest first; there are at most 20. */
        get: operations["list_passkeys"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/account/passkeys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Removes one of the caller's passkeys; sign-ins made with it go on. The last way to sign in is removed only when asked
         *     to expressly.
         */
        delete: operations["delete_passkey"];
        options?: never;
        head?: never;
        /** Calls one of the caller's passkeys something else. */
        patch: operations["update_passkey"];
        trace?: never;
    };
    "/api/account/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sets another password, or a first one. Every other sign-in of the account ends; this one goes on, a browser's with another
         *     cookie. Whoever has no password yet must have signed in within ten minutes.
         */
        post: operations["change_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/account/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the caller's sign-ins, last used first, a page at a time. */
        get: operations["list_sessions"];
        put?: never;
        post?: never;
        /** Ends all of the caller's sign-ins but the one this request is made with. */
        delete: operations["end_other_sessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/account/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends one of the caller's sign-ins, everywhere, at once. */
        delete: operations["end_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/account/verification": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks for a letter with a link that shows that the caller's e-mail address is theirs. */
        post: operations["send_verification_link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lists every check with what was found, why, and what to do. Results are at most 2 seconds old. What `goblin doctor`
         *     says of a server that runs, and what `/health/all` shows to admins; behind a CDN only paths like this one are reached.
         */
        get: operations["list_checks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/attachments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Takes a file for a question: the body is the file, as it is.
         * @description Pictures (PNG, JPEG, GIF, WebP) and text in UTF-8 are taken; its bytes say which it is, never its name or
         *     `Content-Type`. A file that no question names within a day is removed.
         */
        post: operations["create_attachment"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/attachments/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Gives a file back as it was attached. Only pictures are shown; everything else is text, and saved. */
        get: operations["get_attachment"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what was done to accounts and sign-ins, newest first, a page at a time. */
        get: operations["list_audit_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/audit/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads the whole log of what was done, and says whether anything was changed or taken out of it afterwards. */
        get: operations["check_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/budgets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the budgets, those of the configuration first, with what was spent of each. */
        get: operations["list_budgets"];
        /** Sets a budget, in the place of the one for the same spending and period. It holds within a second. */
        put: operations["set_budget"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/budgets/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Takes a budget away. What was spent stays counted, should there be such a budget again. */
        delete: operations["delete_budget"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/chat": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answers a conversation, as Ollama does; without messages, brings the model into memory or takes it out.
         * @description The answer is lines of JSON unless `"stream": false`; a failure after the first byte is a line `{"error": …}`, and the
         *     stream ends there. Closing the connection cancels the answer. Names like `goblin` are answered as at
         *     `/v1/chat/completions`: checked, and a refused answer has the `done_reason` `content_filter`. The header
         *     `x-goblin-trace-id` names the trace.
         */
        post: operations["answer_chat"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/chat/completions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answers a conversation.
         * @description With `"stream": true` the answer is a stream of `chat.completion.chunk` events that ends with
         *     `data: [DONE]`; a failure after the first byte is an event `{"error": …}` and the stream ends without
         *     `[DONE]`. Closing the connection cancels the answer. The header `x-goblin-trace-id` names the answer's trace, where it
         *     has one; `GET /v1/traces/{id}` shows it.
         */
        post: operations["create_chat_completion_api"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/chats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists chats, newest first, a page at a time. */
        get: operations["list_chats"];
        put?: never;
        /** Makes a chat. */
        post: operations["create_chat"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/chats/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a chat. */
        get: operations["get_chat"];
        put?: never;
        post?: never;
        /** Deletes a chat and stops its running answers. For 10 seconds it can be restored. */
        delete: operations["delete_chat"];
        options?: never;
        head?: never;
        /** Changes a chat. An absent field stays, `null` clears; `head` moves to the newest turn below the one named. */
        patch: operations["update_chat"];
        trace?: never;
    };
    "/api/chats/{id}/restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Brings back a chat deleted less than 10 seconds ago. */
        post: operations["restore_chat"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/chats/{id}/turns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the turns of the branch a chat shows, oldest first, the last page when `before` is absent. */
        get: operations["list_turns"];
        put?: never;
        /**
         * Asks a question; the answer is a stream of turn events.
         * @description `id: N`, `event: turn|delta|reasoning|checking|superseded|retracted|trace|done|snapshot`, `data:` the event's
         *     object. The first event is `turn`, the last `done` (or `snapshot`, instead of all others, when the turn ended long
         *     ago). After `superseded` and `retracted` the answer begins again, from nothing. Leaving does not stop the turn;
         *     `GET /api/turns/{id}/events` goes on where a reader left.
         */
        post: operations["create_turn"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/costs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Says what a month costs: hosts, providers, what answers of the operator's machines would have cost, where it is
         *     going, and what could cost less. Everybody's, for owners and admins.
         */
        get: operations["get_costs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/embed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Turns texts into vectors, as Ollama's `/api/embed` and its older `/api/embeddings`. */
        post: operations["embed_texts"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/generate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Answers a prompt or goes on with it, as Ollama does; without one, brings the model into memory or takes it out. */
        post: operations["generate_text"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/invitations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the invitations that nobody has taken yet, newest first, a page at a time. */
        get: operations["list_invitations"];
        put?: never;
        /** Invites somebody. The link is shown this once. */
        post: operations["create_invitation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/invitations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Takes an invitation back. */
        delete: operations["delete_invitation"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the caller's keys, newest first, a page at a time; never the keys themselves. */
        get: operations["list_keys"];
        put?: never;
        /**
         * Makes a key. The whole key is in the answer, this once: only its hash is kept. Whoever signed in more than ten minutes
         *     ago gives the password.
         */
        post: operations["create_key"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Takes a key back, for good: here at once, on other copies of this server within a second. One's own, or, for owners
         *     and admins, somebody else's.
         */
        delete: operations["revoke_key"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provider-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists which providers have a key, with its last four characters. */
        get: operations["list_provider_keys"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/provider-keys/{provider}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Keeps the key a provider is called with, sealed, in the place of the one before. */
        put: operations["set_provider_key"];
        post?: never;
        /** Forgets the key a provider is called with. */
        delete: operations["delete_provider_key"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/providers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the clouds known by name: what holds for each and how it is. */
        get: operations["list_providers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/providers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Sets up a cloud: its key, its address, whether it may be asked, which models it offers. It holds at once here, and
         *     within seconds on other copies.
         */
        put: operations["update_provider"];
        post?: never;
        /** Forgets a cloud's key and all that was set about it: what the configuration says holds again. */
        delete: operations["delete_provider"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/providers/{id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tries a cloud by asking for its models, which costs nothing; also one that is switched off. */
        post: operations["test_provider"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the models in memory, as Ollama does. When they will leave it is not known here. */
        get: operations["list_running"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/route": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Says which model a question would go to and why, where it could be escalated to, what that would cost and whether it
         *     would leave the operator's machines. Nobody is asked.
         */
        post: operations["route_question"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/show": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Describes a model, as Ollama does. On the model tier in its provider's words where it has some; those hold templates
         *     and paths of the operator's, so that on the backend it is described from what is known here.
         */
        post: operations["show_model"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Says how every part and every model server is, which models there are, and what to do when something is missing.
         *     Only admins are told addresses, what those servers said, and what came of requests so far.
         */
        get: operations["get_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tags": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the models, as Ollama does. */
        get: operations["list_tags"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/teams": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the caller's teams, newest first, a page at a time; to owners and admins all of them. */
        get: operations["list_teams"];
        put?: never;
        /** Makes a team without anybody in it. */
        post: operations["create_team"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/teams/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends a team. Its members stay who they are. */
        delete: operations["delete_team"];
        options?: never;
        head?: never;
        /** Gives a team another name. For owners and admins, of the server or of the team. */
        patch: operations["update_team"];
        trace?: never;
    };
    "/api/teams/{id}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists everybody in a team, by address. To whoever is not in it and no admin, it is not there. */
        get: operations["list_team_members"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/teams/{id}/members/{user}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Takes somebody into a team, or changes what they may do there. */
        put: operations["put_team_member"];
        post?: never;
        /** Takes somebody out of a team; everybody may take themselves out. */
        delete: operations["delete_team_member"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/telemetry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Takes errors and events of the page and tells them on to whoever the operator has set up: errors to Sentry, events to
         *     PostHog, nothing where nothing is set up. Nobody need be signed in, for pages fail before that too. The shape is
         *     closed: no text of a conversation has a place in it, and an error's own words are told on only where they are a
         *     browser's.
         */
        post: operations["report_telemetry"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/turns/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a turn as it is saved. */
        get: operations["get_turn"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/turns/{id}/edit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Asks another question in a turn's place, as a sibling. */
        post: operations["edit_turn"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/turns/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Follows a turn: replays what came after the event named, goes on live, then ends. */
        get: operations["follow_turn"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/turns/{id}/feedback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Says what the reader thinks of an answer: a thumb, a better answer to the same question, a comment. What is absent
         *     stays as it was, null takes it back.
         */
        post: operations["update_feedback"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/turns/{id}/regenerate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Answers a turn's question again, as a sibling. */
        post: operations["regenerate_turn"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/turns/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stops a turn; what was answered is kept. A turn that has ended is shown as it is. */
        post: operations["stop_turn"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/turns/{id}/trace": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows the trace of a turn's answer. */
        get: operations["get_turn_trace"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Adds up what was used: the caller's own, or everybody's. */
        get: operations["get_usage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the accounts, newest first, a page at a time. */
        get: operations["list_users"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Ends somebody's account for good and erases everything of it: chats, turns, traces, labels, sign-ins and links. What
         *     was used stays booked, on nobody. The last owner stays.
         */
        delete: operations["delete_user"];
        options?: never;
        head?: never;
        /**
         * Changes what somebody may do, shuts them out or lets them in again. Their sign-ins end. An admin may change members
         *     and viewers, an owner everybody but themselves; the last owner stays.
         */
        patch: operations["update_user"];
        trace?: never;
    };
    "/api/users/{id}/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a link by which somebody sets another password. It is shown this once; one made before ends. */
        post: operations["create_reset_link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends every sign-in of somebody, everywhere, at once. */
        delete: operations["end_user_sessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/version": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Which version of Ollama's wire is spoken. */
        get: operations["get_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/forgot": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Asks for a letter with a link to set another password. The answer is the same whether or not there is an account of
         *     the address.
         */
        post: operations["send_reset_link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/google": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Signs in by an ID token of Google, as its own script gives it to a page. Each is good once. */
        post: operations["sign_in_with_google"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/google/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where Google sends browsers back to: signs in and leads to the page. What went wrong, the page says. */
        get: operations["return_from_google"];
        put?: never;
        /**
         * Finishes a sign-in at Google for a client that was handed `code` and `state` itself. The cookie that was set when it
         *     began must come along.
         */
        post: operations["finish_google"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/google/url": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Begins a sign-in at Google: where the browser goes now. The sign-in is bound to this browser by a cookie. */
        get: operations["get_google_url"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/invitation": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes the account an invitation is for and signs it in. */
        post: operations["accept_invitation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says what a link (set-up, invitation, another password) is good for, before it is used. */
        post: operations["look_at_link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Signs in by e-mail address and password. */
        post: operations["sign_in"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the sign-in this request is made with, everywhere, at once. Without one there is nothing to end. */
        post: operations["sign_out"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows who is signed in; in local mode the one owner. */
        get: operations["get_me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/oidc/{provider}/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where a provider sends browsers back to: signs in and leads to the page. What went wrong, the page says. */
        get: operations["return_from_provider"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/oidc/{provider}/url": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Begins a sign-in at a provider: where the browser goes now. The sign-in is bound to this browser by a cookie. */
        get: operations["get_provider_url"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/passkey/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begins a sign-in by a passkey. */
        post: operations["begin_passkey_sign_in"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/passkey/login/finish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Signs in by a passkey. */
        post: operations["sign_in_with_passkey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/passkey/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Begins a passkey for the caller's account. Who signed in more than ten minutes ago gives the password again. */
        post: operations["begin_passkey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/passkey/register/finish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Keeps the passkey an authenticator made. */
        post: operations["finish_passkey"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Exchanges a refresh token for new tokens, once. */
        post: operations["refresh_tokens"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes an account for whoever asks and signs it in, where registration is open. */
        post: operations["register_account"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sets another password by a link that an owner or admin made. Every sign-in of the account ends. */
        post: operations["reset_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/setup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes the first account, an owner's, and signs it in. Everything made before in local mode is theirs. */
        post: operations["create_first_account"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/state": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says how people come in here, and who is signed in. */
        get: operations["get_sign_in_state"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/supabase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Signs in by an access token of Supabase Auth. Somebody new is taken in by an invitation for the address Supabase has
         *     confirmed, or where registration is open; from then on such tokens are also taken as `Authorization: Bearer`.
         */
        post: operations["sign_in_with_supabase"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/validate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says whether an access token is good, and whose it is. */
        post: operations["validate_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/verification": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Notes that an e-mail address is its owner's, by the link that was sent there. */
        post: operations["verify_email"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/chat/completions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answers a conversation.
         * @description With `"stream": true` the answer is a stream of `chat.completion.chunk` events that ends with
         *     `data: [DONE]`; a failure after the first byte is an event `{"error": …}` and the stream ends without
         *     `[DONE]`. Closing the connection cancels the answer. The header `x-goblin-trace-id` names the answer's trace, where it
         *     has one; `GET /v1/traces/{id}` shows it.
         */
        post: operations["create_chat_completion_legacy"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says whether the server can take requests. */
        get: operations["get_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/all": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Runs every check. Results are at most 2 seconds old; details only for admins. */
        get: operations["get_all_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says whether the process is alive. Touches nothing. */
        get: operations["get_liveness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every measurement, in the Prometheus text format. */
        get: operations["get_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The description of this API as an OpenAPI 3.1 document. */
        get: operations["get_openapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/chat/completions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answers a conversation.
         * @description With `"stream": true` the answer is a stream of `chat.completion.chunk` events that ends with
         *     `data: [DONE]`; a failure after the first byte is an event `{"error": …}` and the stream ends without
         *     `[DONE]`. Closing the connection cancels the answer. The header `x-goblin-trace-id` names the answer's trace, where it
         *     has one; `GET /v1/traces/{id}` shows it.
         */
        post: operations["create_chat_completion"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/completions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Goes on with a text, as OpenAI's older completions do.
         * @description A model that continues texts gets the text as it stands, without a template; any other, and whatever `goblin` chooses,
         *     gets it as a question. Streams, failures, leaving and traces are as at `/v1/chat/completions`; a refused answer of
         *     `goblin` has the finish reason `content_filter`.
         */
        post: operations["create_completion"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/embeddings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Turns texts into vectors. */
        post: operations["create_embeddings"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answers a conversation, as Anthropic's Messages do.
         * @description With `"stream": true` the answer is a stream of Anthropic's events; a failure after the first byte is an `error` event,
         *     and the stream ends there. Closing the connection cancels the answer. Names like `goblin` are answered as at
         *     `/v1/chat/completions`: checked, and a refused answer has the stop reason `refusal`. The header `x-goblin-trace-id`
         *     names the trace.
         */
        post: operations["create_message"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/messages/count_tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Counts the tokens of a conversation without answering it. */
        post: operations["count_tokens"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the models on offer. */
        get: operations["list_models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Describes one model; its id may hold slashes. */
        get: operations["get_model"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/responses": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answers a conversation, as OpenAI's Responses do.
         * @description Nothing is kept unless `store` is true, which is false by default; then `previous_response_id` goes on from it: what was
         *     said and answered there comes before `input`, its `instructions` do not. `conversation`, `prompt` and `background` are
         *     refused. Tools are functions that the caller runs. With `"stream": true` the answer is a stream of OpenAI's events, from
         *     `response.created` to `response.completed`, `response.incomplete` or, where it fails, `response.failed`; it is kept
         *     before its end is told, and not at all when it fails. Closing the connection cancels the answer. Names like `goblin` are
         *     answered as at `/v1/chat/completions`: checked, the trace in the field `goblin`; a refused answer holds a `refusal` and is
         *     incomplete by `content_filter`. The header `x-goblin-trace-id` names the trace.
         */
        post: operations["create_response"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/responses/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Shows a response that was kept, as it was given. */
        get: operations["get_response"];
        put?: never;
        post?: never;
        /** Forgets a response that was kept. Those that go on from it stay, and nothing can go on from them any more. */
        delete: operations["delete_response"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/responses/{id}/input_items": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what a kept response answers: the items of the conversation it goes on from, and of its own input. */
        get: operations["list_input_items"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/systemone": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answers typed questions about a text with probabilities.
         * @description Nothing is generated: each answer is read from one token's probabilities. `noul` asks for yes or no, `choice` for one
         *     of up to 255 options, `score` for one of 2 to 10 levels. `x_mass` says how much probability the model put on the
         *     options together before it was scaled to one; below 0.5 the answer means little.
         */
        post: operations["decide_questions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/traces": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the caller's traces in one line each, newest first. */
        get: operations["list_traces"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/traces/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Shows why an answer came from where it came from: every decision, attempt, verdict and cost. No text of the
         *     conversation is in it. It is there from the answer's end.
         */
        get: operations["get_trace"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description What a verdict is about. */
        About: {
            /** @enum {string} */
            part: "prompt";
        } | {
            /**
             * Format: int32
             * @description The answer up to the end of this window, from 0.
             */
            window: number;
            /** @enum {string} */
            part: "window";
        } | {
            /** @enum {string} */
            part: "answer";
        };
        /** @description An invitation to be taken. */
        AcceptBody: {
            /** @description What stands behind `#` in the invitation's link. */
            token: string;
            /** @description The e-mail address; may be absent when the invitation names one. */
            email?: string | null;
            /** @description The password, 8–1024 bytes. */
            password: string;
            /** @description What they are called, 1–200 characters. */
            name?: string | null;
        };
        /** @description An account. */
        Account: {
            /** @description Names it. */
            id: string;
            /** @description The e-mail address as it was typed. */
            email: string;
            /** @description What they are called. */
            name: string | null;
            /** @description What they may do. */
            role: components["schemas"]["Role"];
            /**
             * Format: date-time
             * @description When they were shut out; null while they may sign in.
             */
            disabled_at: string | null;
            /** @description Have they a password? Whoever came by a provider or a passkey may have none yet. */
            has_password: boolean;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
        };
        /** @description Changes to an account; at least one is given. */
        AccountChangeBody: {
            role?: components["schemas"]["Role"] | null;
            /** @description Shut out, or let in again. */
            disabled?: boolean | null;
        };
        /** @description An account to be ended. */
        AccountEnd: {
            /** @description The password; not needed within ten minutes of signing in. */
            password?: string | null;
        };
        /** @description A page of accounts. */
        AccountPage: {
            /** @description Newest first. */
            items: components["schemas"]["Account"][];
            /** @description Give it back as `cursor` for those that follow; null at the end. */
            next_cursor: string | null;
        };
        /** @description An address to send a letter to. */
        AddressBody: {
            /** @description The e-mail address. */
            email: string;
        };
        /** @description The outcome of every check. */
        AllHealth: {
            /** @description `healthy` or `degraded`. */
            status: string;
            /**
             * @description Each check by its name, and `providers` as a list. What was found and what to do is only told to
             *     admins.
             */
            checks: unknown;
        };
        /** @description An error at `/v1/messages`. */
        AnthropicError: {
            /** @description `error`. */
            type: string;
            /** @description `type`, `message`, and `param` where a field is at fault. */
            error: unknown;
        };
        /** @description A key of the API as its owner and admins see it: never the key itself. */
        ApiKey: {
            /** @description Names its row. */
            id: string;
            /** @description The part of the key that names it in public: the eight characters after `gbl_live_`. */
            public_id: string;
            /** @description Who or what uses it. */
            name: string;
            /** @description The id of the user it acts for. */
            user: string;
            /** @description What it may do: `infer` (ask models), `embed` (vectors), `read` (lists and states, part of the others). */
            scopes: string[];
            /** @description Models it may ask, by the names requests give; a `*` at the end stands for any rest. Null: every model. */
            models: string[] | null;
            /** @description Addresses and networks it may be used from; null: anywhere. */
            networks: string[] | null;
            budget: components["schemas"]["Budget"] | null;
            /**
             * Format: int32
             * @description Most requests in any minute; null: what holds for everybody.
             */
            requests_per_minute: number | null;
            /**
             * Format: int32
             * @description Most requests at once, streams included; null: what holds for everybody.
             */
            concurrent: number | null;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it ends; null: never.
             */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description When it was last used, to about a minute; null: never.
             */
            last_used_at: string | null;
            /**
             * Format: date-time
             * @description When it was taken back; null while it is good.
             */
            revoked_at: string | null;
        };
        /** @description A key to be made. */
        ApiKeyBody: {
            /** @description Who or what uses it, 1–100 characters. */
            name: string;
            /**
             * @description What it may do: `infer` (ask models), `embed` (vectors), `read` (lists and states, part of the others). Absent:
             *     `infer` and `embed`.
             */
            scopes?: string[] | null;
            /** @description Models it may ask, by the names requests give; a `*` at the end stands for any rest. Absent: every model. */
            models?: string[] | null;
            /** @description Addresses and networks it may be used from, like 10.0.0.0/8. Absent: anywhere. */
            networks?: string[] | null;
            budget?: components["schemas"]["Budget"] | null;
            /**
             * Format: int32
             * @description Most requests in any minute, 1–1,000,000. Absent: what holds for everybody.
             */
            requests_per_minute?: number | null;
            /**
             * Format: int32
             * @description Most requests at once, streams included, 1–1,000,000. Absent: what holds for everybody.
             */
            concurrent?: number | null;
            /**
             * Format: date-time
             * @description When it ends. Absent: never.
             */
            expires_at?: string | null;
            /** @description The password; not needed within ten minutes of signing in. */
            password?: string | null;
        };
        /** @description A key just made. */
        ApiKeyMade: {
            /** @description The whole key, shown this once. It is sent as `Authorization: Bearer KEY` or `x-api-key: KEY`. */
            key: string;
            /** @description What is shown of it later too. */
            api_key: components["schemas"]["ApiKey"];
        };
        /** @description A page of keys. */
        ApiKeyPage: {
            /** @description Newest first; those that are over too. */
            items: components["schemas"]["ApiKey"][];
            /** @description Give it back as `cursor` for those that follow; null at the end. */
            next_cursor: string | null;
        };
        /** @description A file that was attached, without its bytes. */
        Attachment: {
            /** @description UUIDv7. */
            id: string;
            /** @description Its name, without a path. */
            name: string;
            /** @description What it is to a model. */
            kind: components["schemas"]["AttachmentKind"];
            /** @description `image/png`, `image/jpeg`, `image/gif`, `image/webp` or `text/plain`, told from its bytes. */
            media_type: string;
            /**
             * Format: int64
             * @description Its size.
             */
            bytes: number;
        };
        /**
         * @description What a file is to a model.
         * @enum {string}
         */
        AttachmentKind: "image" | "text";
        /** @description Whether the log of what was done to accounts is as it was written. */
        AuditCheck: {
            /**
             * Format: int64
             * @description `position` of the first entry that was changed, or after which one is missing; null when all is well.
             */
            broken_at: number | null;
        };
        /** @description Something that was done to accounts. */
        AuditEvent: {
            /** @description Names it. */
            id: string;
            /**
             * Format: int64
             * @description Its place, from 1, without gaps.
             */
            position: number;
            /** @description The id of who did it, or whom it was about when nobody was signed in. */
            user: string;
            /** @description What: `session.begun`, `account.made` … */
            action: string;
            /** @description What it was done to: an id. */
            target: string | null;
            /** @description More about it. Never a secret. */
            detail: string | null;
            /** @description The network address it came from. */
            address: string | null;
            /** @description What the client calls itself. */
            device: string | null;
            /**
             * Format: date-time
             * @description When.
             */
            at: string;
        };
        /** @description A page of what was done to accounts. */
        AuditPage: {
            /** @description Newest first. */
            items: components["schemas"]["AuditEvent"][];
            /** @description Give it back as `cursor` for those that follow; null at the end. */
            next_cursor: string | null;
        };
        /**
         * @description May a judge's verdict act?
         * @enum {string}
         */
        Authority: "record" | "grant" | "none";
        /** @description Where a browser goes to sign in at a provider. */
        AuthorizationUrl: {
            /** @description The address. */
            authorization_url: string;
            /** @description The same, as other clients call it. */
            url: string;
        };
        /** @description What a key may spend. */
        Budget: {
            /**
             * Format: double
             * @description In USD, exact to 10^-9.
             */
            usd: number;
            /** @description How often it begins anew. */
            period: components["schemas"]["BudgetPeriod"];
        };
        /** @description A budget to be set. */
        BudgetBody: {
            /** @description Whose spending. */
            kind: components["schemas"]["BudgetKind"];
            /**
             * @description The id of the user, team or key, or `*` for each on its own; a model as `provider/model`, where `*` at the end
             *     stands for any rest; absent for everybody.
             */
            subject?: string | null;
            /**
             * Format: double
             * @description The most, in US dollars.
             */
            usd: number;
            /** @description `day` or `month` (UTC). */
            period: components["schemas"]["BudgetPeriod"];
            on_reached?: components["schemas"]["OnReached"] | null;
        };
        /**
         * @description Whose spending a budget bounds.
         * @enum {string}
         */
        BudgetKind: "everybody" | "user" | "team" | "key" | "model";
        /** @description Every budget. */
        BudgetList: {
            /** @description Those of the configuration first. */
            items: components["schemas"]["BudgetState"][];
        };
        /**
         * @description How often a budget begins anew.
         * @enum {string}
         */
        BudgetPeriod: "day" | "month" | "total";
        /** @description A budget. */
        BudgetState: {
            /** @description Names it; null: it is of the configuration, and changed there. */
            id: string | null;
            /** @description Whose spending. */
            kind: components["schemas"]["BudgetKind"];
            /** @description Of whom; empty for everybody. */
            subject: string;
            /**
             * Format: double
             * @description The most, in US dollars.
             */
            usd: number;
            /** @description In each of these. */
            period: components["schemas"]["BudgetPeriod"];
            /** @description What happens then. */
            on_reached: components["schemas"]["OnReached"];
            /**
             * Format: double
             * @description What was spent of it, in US dollars; null where each has one of their own.
             */
            spent_usd: number | null;
            /**
             * Format: double
             * @description What is reserved for requests under way.
             */
            reserved_usd: number | null;
            /**
             * Format: date-time
             * @description When it begins anew.
             */
            begins_anew: string | null;
            /** @description The id of who set it. */
            updated_by: string | null;
            /**
             * Format: date-time
             * @description When.
             */
            updated_at: string | null;
        };
        /**
         * @description Where an answer in the cache stood.
         * @enum {string}
         */
        CacheUse: "miss" | "hit";
        /** @description What a provider sent back with a browser. */
        CallbackBody: {
            /** @description To be exchanged at the provider. */
            code: string;
            /** @description What went there as `state`. */
            state: string;
        };
        /**
         * @description Something a model can do now.
         * @enum {string}
         */
        Capability: "chat" | "tools" | "vision" | "files" | "thinking" | "complete" | "logprobs" | "decide" | "embed" | "grammar";
        /** @description A conversation. */
        Chat: {
            /** @description UUIDv7. */
            id: string;
            /** @description Made from the first question when absent. */
            title: string | null;
            /** @description The model to ask; absent = automatic. */
            model: string | null;
            /** @description System prompt. */
            system: string | null;
            /** @description Sampling settings. */
            parameters: components["schemas"]["Parameters"];
            /** @description A name to group chats by. */
            folder: string | null;
            /** @description Newest turn of the branch shown. */
            head: string | null;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it last changed.
             */
            updated_at: string;
        };
        /** @description A chat to be made. Every field may be absent. */
        ChatBody: {
            /** @description 1–200 characters; made from the first question when absent. */
            title?: string | null;
            /** @description The model to ask; absent = automatic. */
            model?: string | null;
            /** @description System prompt, at most 1 MiB. */
            system?: string | null;
            parameters?: components["schemas"]["Parameters"] | null;
            /** @description A name to group chats by, 1–200 characters. */
            folder?: string | null;
        };
        /** @description Changes to a chat: an absent field stays, null clears. */
        ChatChange: {
            /** @description 1–200 characters. */
            title?: string | null;
            /** @description The model to ask. */
            model?: string | null;
            /** @description System prompt, at most 1 MiB. */
            system?: string | null;
            parameters?: components["schemas"]["Parameters"] | null;
            /** @description A name to group chats by. */
            folder?: string | null;
            /** @description Any turn of this chat; the newest leaf below it becomes the head. */
            head?: string | null;
        };
        /** @description An answer, as OpenAI's chat completions give it. */
        ChatCompletion: {
            /** @description Names the answer. */
            id: string;
            /** @description `chat.completion`. */
            object: string;
            /**
             * Format: int64
             * @description Seconds since 1970.
             */
            created: number;
            /** @description Who answered, `provider/model`. */
            model: string;
            /** @description One choice: `index`, `message`, `finish_reason`, `logprobs`. */
            choices: unknown[];
            /** @description `prompt_tokens`, `completion_tokens`, `total_tokens`. */
            usage?: unknown;
        };
        /**
         * @description A conversation to be answered, as OpenAI's chat completions take it. Fields of that API that are not listed
         *     here are accepted too.
         */
        ChatCompletionBody: {
            /** @description `provider/model`, a bare model name, or `goblin` for the automatic choice. */
            model: string;
            /** @description The conversation, oldest first; 1–10,000 messages of `role` and `content`. */
            messages: unknown[];
            /** @description Answer as a stream of events. */
            stream?: boolean | null;
            /** @description `{"include_usage": true}`: one more chunk with the usage before the end. */
            stream_options?: unknown;
            /**
             * Format: float
             * @description 0–2.
             */
            temperature?: number | null;
            /**
             * Format: float
             * @description 0–1.
             */
            top_p?: number | null;
            /**
             * Format: int32
             * @description Most tokens of the answer, 1–1,000,000.
             */
            max_tokens?: number | null;
            /** @description One text or up to 16 texts that end the answer. */
            stop?: unknown;
            /**
             * Format: int64
             * @description Makes sampling repeatable.
             */
            seed?: number | null;
            /** @description Report each token's log-probability. */
            logprobs?: boolean | null;
            /**
             * Format: int32
             * @description With the n likeliest alternatives, 0–20.
             */
            top_logprobs?: number | null;
            /** @description Functions the model may call. */
            tools?: unknown[] | null;
            /** @description `auto`, `none`, `required`, or one function. */
            tool_choice?: unknown;
            /** @description `text`, `json_object` or `json_schema`. */
            response_format?: unknown;
        };
        /** @description A piece of a streamed answer; the stream ends with `data: [DONE]`. */
        ChatCompletionChunk: {
            /** @description Names the answer. */
            id: string;
            /** @description `chat.completion.chunk`. */
            object: string;
            /**
             * Format: int64
             * @description Seconds since 1970.
             */
            created: number;
            /** @description Who answers, `provider/model`. */
            model: string;
            /** @description One choice: `index`, `delta`, `finish_reason`, `logprobs`; none in the usage chunk. */
            choices: unknown[];
            /** @description Only in the usage chunk. */
            usage?: unknown;
        };
        /** @description A page of chats. */
        ChatPage: {
            /** @description Newest first. */
            items: components["schemas"]["Chat"][];
            /** @description Give it back as `cursor` for the chats that follow; null at the end. */
            next_cursor: string | null;
        };
        /** @description Every check, with what is told to admins. */
        CheckList: {
            /** @description Is the server shutting down? */
            draining: boolean;
            /** @description Each check. */
            items: components["schemas"]["CheckResult"][];
        };
        /** @description The outcome of one check. */
        CheckResult: {
            /** @description What was looked at (`database`, `disk`, `port`, `engine` …). */
            name: string;
            /** @description How it is. */
            state: components["schemas"]["PartState"];
            /** @description What was found, for operators: may name addresses and paths. */
            found: string;
            /** @description Why, when something is wrong. */
            cause?: string | null;
            /** @description What to do, when something is wrong. */
            fix?: string | null;
            /**
             * Format: int64
             * @description How long the check took, in milliseconds.
             */
            latency_ms: number;
        };
        /** @description A question to a judge that the reader waits for. */
        Checking: {
            /** @description What is checked. */
            about: components["schemas"]["About"];
            /** @description Who judges, `provider/model`; absent for the checks inside this process. */
            judge?: string | null;
            /**
             * Format: int32
             * @description Tokens of the answer that are held back.
             */
            held_tokens: number;
        };
        /**
         * @description How a cloud is.
         * @enum {string}
         */
        CloudHealth: "ok" | "starting" | "key_refused" | "broken" | "down" | "no_key" | "key_sealed" | "off";
        /** @description A cloud as admins see it. The key itself is never shown. */
        CloudState: {
            /** @description The provider's id: the first part of `provider/model`. */
            id: string;
            /** @description May it be asked? */
            enabled: boolean;
            key_set_by?: components["schemas"]["SetBy"] | null;
            /** @description The last four characters of the key that is kept here, empty for a short one; null: none is kept. */
            last_four?: string | null;
            /**
             * Format: date-time
             * @description When that was set.
             */
            key_updated_at?: string | null;
            /** @description Where it is called. */
            base_url: string;
            /** @description Who said so. */
            base_url_set_by: components["schemas"]["SetBy"];
            /** @description The variable that gives it its key. */
            key_variable: string;
            /** @description How it is. */
            health: components["schemas"]["CloudHealth"];
            /** @description What is wrong and what to do; null: nothing. */
            advice?: string | null;
            /** @description The models that are offered, by their names there; null: all. */
            shown_models?: string[] | null;
            /** @description The models it said it has, offered or not, at most 1000. */
            models: string[];
        };
        /** @description What a cloud said when it was tried: its list of models was asked for, which costs nothing. */
        CloudTest: {
            /** @description The provider's id. */
            id: string;
            /** @description How it is. */
            health: components["schemas"]["CloudHealth"];
            /** @description What is wrong and what to do; null: nothing. */
            advice?: string | null;
            /** @description How many models it offers. */
            models: number;
            /**
             * Format: int64
             * @description How long it took, in milliseconds.
             */
            took_ms: number;
        };
        /** @description A text gone on with; in a stream each event is one of these with a piece of it, and `data: [DONE]` is the end. */
        Completion: {
            /** @description Names the answer. */
            id: string;
            /** @description `text_completion`. */
            object: string;
            /**
             * Format: int64
             * @description Seconds since 1970.
             */
            created: number;
            /** @description Who answered, `provider/model`. */
            model: string;
            /** @description One choice: `index`, `text`, `finish_reason`, `logprobs`; none in the usage chunk. */
            choices: unknown[];
            /** @description `prompt_tokens`, `completion_tokens`, `total_tokens`. */
            usage?: unknown;
        };
        /** @description A text to be gone on with, as OpenAI's completions take it. What is not listed here is refused. */
        CompletionBody: {
            /** @description `provider/model`, a bare model name, or `goblin` for the automatic choice. */
            model: string;
            /** @description The text: a string, or an array of one. */
            prompt: unknown;
            /** @description What comes after the gap; only of a model that fills gaps. */
            suffix?: string | null;
            /** @description Put the prompt in front of the answer. */
            echo?: boolean | null;
            /** @description Answer as a stream of events. */
            stream?: boolean | null;
            /** @description `{"include_usage": true}`: one more chunk with the usage before the end. */
            stream_options?: unknown;
            /**
             * Format: int32
             * @description Most tokens of the answer, 1–1,000,000; 16 when absent.
             */
            max_tokens?: number | null;
            /**
             * Format: float
             * @description 0–2.
             */
            temperature?: number | null;
            /**
             * Format: float
             * @description 0–1.
             */
            top_p?: number | null;
            /**
             * Format: int32
             * @description The k likeliest tokens only; 0 = all.
             */
            top_k?: number | null;
            /**
             * Format: float
             * @description 0–1, relative to the likeliest token.
             */
            min_p?: number | null;
            /**
             * Format: float
             * @description -2–2.
             */
            presence_penalty?: number | null;
            /**
             * Format: float
             * @description -2–2.
             */
            frequency_penalty?: number | null;
            /** @description One text or up to 16 texts that end the answer. */
            stop?: unknown;
            /**
             * Format: int64
             * @description Makes sampling repeatable.
             */
            seed?: number | null;
            /**
             * Format: int32
             * @description Report each token's log-probability, with the n likeliest alternatives, 0–5.
             */
            logprobs?: number | null;
            /**
             * Format: int32
             * @description Must be 1.
             */
            n?: number | null;
            /**
             * Format: int32
             * @description Must be 1.
             */
            best_of?: number | null;
            /** @description Who the end user is. */
            user?: string | null;
        };
        /**
         * @description What a verdict is for.
         * @enum {string}
         */
        Concern: "safety" | "confidence";
        /** @description How sure the answer is. */
        Confidence: {
            /**
             * Format: double
             * @description 0–1.
             */
            value: number;
            /** @description Does the number mean what it says: was it fitted to labelled answers of this model and question set? */
            calibrated: boolean;
            /** @description How it was made, for example `judge`. */
            method: string;
            /** @description May it act? */
            authority: components["schemas"]["Authority"];
            /** @description Is the judge the model that answered? */
            self_judged: boolean;
        };
        /** @description A model that could have answered. */
        Considered: {
            /** @description `provider/model`; a model of the policy that nobody offers stands under the policy's name. */
            model: string;
            /** @description Role of the policy it stands for, when it has one. */
            role?: string | null;
            /** @description Does it run on the operator's machines? */
            local: boolean;
            /**
             * Format: int32
             * @description Place on the ladder, from 0; absent when it was passed over.
             */
            rung?: number | null;
            /**
             * Format: double
             * @description Expected quality for this intent, 0–1, before cost.
             */
            quality: number;
            /**
             * Format: double
             * @description Expected cost of the answer in US dollars; local 0, absent when there is no price.
             */
            cost_usd?: number | null;
            /**
             * Format: int64
             * @description Predicted time to the first token, in milliseconds, when known.
             */
            first_token_ms?: number | null;
            /** @description Why it is not on the ladder. */
            passed_over?: string | null;
        };
        /** @description What a day, a month, a model or a user cost. */
        CostItem: {
            /** @description The day, the month, `provider/model`, or the user's id; empty of the whole, or where no model answered. */
            id: string;
            /** @description The user's name, while they are there. */
            name?: string | null;
            /**
             * Format: int64
             * @description Requests.
             */
            requests: number;
            /**
             * Format: double
             * @description What those cost whose cost is known, in US dollars.
             */
            cost_usd: number;
            /**
             * Format: int64
             * @description Requests whose cost is not known.
             */
            unknown_cost: number;
            /**
             * Format: int64
             * @description Requests with a part that is an estimate.
             */
            estimated: number;
            /**
             * Format: int64
             * @description Requests answered on the operator's machines.
             */
            local: number;
            /**
             * Format: double
             * @description What those would have cost at the baseline.
             */
            would_have_cost_usd: number;
            /**
             * Format: double
             * @description What hosts cost meanwhile, as far as it is known; a day's is its share of the month. 0 for models and users.
             */
            fixed_usd: number;
        };
        /** @description A month's costs. */
        CostReport: {
            /** @description `2026-11` (UTC). */
            month: string;
            /**
             * Format: date-time
             * @description Up to when it was counted.
             */
            at: string;
            /** @description What people read sums in. All numbers here are US dollars. */
            currency: string;
            /**
             * Format: double
             * @description What a US dollar is in it.
             */
            currency_per_usd: number;
            /** @description The model at whose price answers of the operator's machines are held. */
            baseline?: string | null;
            /** @description What each host costs in a month. */
            fixed: components["schemas"]["FixedCost"][];
            /**
             * Format: double
             * @description Those together, as far as they are known.
             */
            fixed_usd: number;
            /**
             * Format: int32
             * @description Hosts whose cost is not known.
             */
            fixed_unknown: number;
            /** @description What providers cost, and what answers of the operator's machines would have. */
            providers: components["schemas"]["CostItem"];
            /**
             * Format: double
             * @description Hosts and providers so far, as far as it is known.
             */
            total_usd: number;
            /** @description Is a part of it not known: a host, or requests to a model without a price? Then all sums are "at least". */
            at_least: boolean;
            /** @description Where it is going. */
            forecast: components["schemas"]["Forecast"];
            /** @description Every day of the month so far, in order. */
            days: components["schemas"]["CostItem"][];
            /** @description The months before and this one, in order, from the first use on; hosts by today's configuration. */
            months: components["schemas"]["CostItem"][];
            /** @description By model, what cost most first; at most 1000. */
            models: components["schemas"]["CostItem"][];
            /** @description By user, likewise. */
            users: components["schemas"]["CostItem"][];
            /** @description What could cost less, or is not known, with the numbers that show it. */
            findings: components["schemas"]["Finding"][];
        };
        /** @description A conversation whose tokens are to be counted: as a message, without `max_tokens`. */
        CountBody: {
            /** @description The model that would answer. */
            model: string;
            /** @description The conversation. */
            messages: unknown[];
            /** @description Instructions. */
            system?: unknown;
            /** @description Functions the model may call. */
            tools?: unknown[] | null;
        };
        /** @description Text to append. */
        Delta: {
            /** @description The text. */
            text: string;
        };
        /** @description What was done, in a sentence. */
        DoneAnswer: {
            /** @description A sentence. */
            detail: string;
        };
        /** @description What would happen to a question, without anybody being asked. */
        DryRun: {
            /** @description The model asked for. */
            model: string;
            /** @description How the ladder was made. */
            route: components["schemas"]["RouteRecord"];
            /** @description Who would be asked first, `provider/model`; absent when nobody can answer. */
            first?: string | null;
            /** @description Would that stay on the operator's machines? */
            local?: boolean | null;
            /** @description Could a later rung leave them? */
            may_leave_machine: boolean;
            /**
             * Format: double
             * @description What the first answer is expected to cost in US dollars; absent without a price.
             */
            expected_cost_usd?: number | null;
            /**
             * Format: double
             * @description The most an answer may cost when it is escalated to the end of the ladder; absent without a price for each.
             */
            most_cost_usd?: number | null;
            /**
             * Format: int64
             * @description Predicted time to the first token, in milliseconds, when known.
             */
            first_token_ms?: number | null;
            /** @description Why nobody can answer. */
            nobody?: string | null;
        };
        /** @description A question whose way is asked for. Every field of a chat completion is understood; these say where it goes. */
        DryRunBody: {
            /** @description The model asked for; absent = `goblin`. */
            model?: string | null;
            /** @description The conversation: objects with `role` and `content`. */
            messages: unknown[];
            intent?: components["schemas"]["Intent"] | null;
            /** @description `ultra_low`, `low`, `medium` or `high`. */
            latency_target?: string | null;
            /** @description A document the answer must use. */
            context?: string | null;
            /** @description Cheaper rather than better. */
            cost_priority?: boolean | null;
            /** @description Our own options, among them `local_only` and `max_cost_usd`. */
            goblin?: unknown;
        };
        /** @description Vectors, one a text, in the order of the texts. */
        Embeddings: {
            /** @description `list`. */
            object: string;
            /** @description Objects of `index` and `embedding`: numbers, or base64 of 32-bit little-endian floats. */
            data: unknown[];
            /** @description Who made them, `provider/model`. */
            model: string;
            /** @description `prompt_tokens` and `total_tokens`. */
            usage: unknown;
        };
        /** @description Texts to be turned into vectors, as OpenAI's embeddings take them. */
        EmbeddingsBody: {
            /** @description `provider/model`, a bare model name, or `goblin` for any that can. */
            model: string;
            /** @description A text, or up to 2,048 of them. */
            input: unknown;
            /** @description `float` or `base64`. */
            encoding_format?: string | null;
            /**
             * Format: int32
             * @description Shorter vectors, of models that can.
             */
            dimensions?: number | null;
            /** @description Who the end user is. */
            user?: string | null;
        };
        /** @description How many sign-ins were ended. */
        EndedAnswer: {
            /**
             * Format: int64
             * @description How many.
             */
            ended: number;
        };
        /**
         * @description What was done.
         * @enum {string}
         */
        EventName: "page_opened" | "question_asked" | "question_edited" | "answer_regenerated" | "answer_stopped" | "feedback_given";
        /** @description A number that shows it. */
        Evidence: {
            /** @description Of what. */
            name: string;
            /**
             * Format: double
             * @description How much.
             */
            value: number;
            /** @description `requests`, `percent`, `usd`, `copies`, `days` or `hosts`. */
            unit: string;
        };
        /** @description One thing the choice was made by, and its value. */
        Feature: {
            /** @description For example `words:translate`, `code_block`, `context_tokens`. */
            name: string;
            /**
             * Format: double
             * @description What it weighed, or how much of it there was.
             */
            value: number;
        };
        /** @description What a reader said of an answer. */
        Feedback: {
            rating: components["schemas"]["Rating"] | null;
            /** @description Another answer to the same question that is better. */
            better_turn: string | null;
            /** @description Answers to the same question that this one was said to be better than. */
            better_than: string[];
            /** @description Another answer to the same question that was asked of another model to compare. */
            second_opinion: string | null;
            /** @description In the reader's words. */
            comment: string | null;
            /**
             * Format: date-time
             * @description When it last changed.
             */
            updated_at: string;
        };
        /** @description What a reader says of an answer. An absent field stays, null takes it back; at least one is given. */
        FeedbackBody: {
            rating?: components["schemas"]["Rating"] | null;
            /** @description Another answer to the same question that is better. */
            better_turn?: string | null;
            /** @description Another answer to the same question that was asked for to compare. */
            second_opinion?: string | null;
            /** @description In the reader's words, at most 4 KiB. */
            comment?: string | null;
        };
        /** @description What could cost less, or is not known. */
        Finding: {
            /** @description Which. */
            kind: components["schemas"]["FindingKind"];
            /** @description A sentence. */
            found: string;
            /** @description The numbers it is read from. */
            evidence: components["schemas"]["Evidence"][];
            /** @description What to do. */
            fix: string;
            /**
             * Format: double
             * @description What that saves in a month at most, in US dollars; null: not known, or nothing.
             */
            saves_usd?: number | null;
        };
        /**
         * @description What was found.
         * @enum {string}
         */
        FindingKind: "unknown_prices" | "unknown_hosts" | "redis_for_one" | "local_would_do" | "repeats" | "machine_dearer" | "lost" | "no_budget" | "old_prices";
        /** @description What a host costs. */
        FixedCost: {
            /** @description Which. */
            name: string;
            /**
             * Format: double
             * @description In a month; null: not known.
             */
            monthly_usd?: number | null;
            /** @description Where that is from. */
            note: string;
            /** @description Is it a default that nobody confirmed? */
            assumed: boolean;
        };
        /** @description What the month will have cost at its end, in US dollars. */
        Forecast: {
            /** @description Is there one? */
            state: components["schemas"]["Foresight"];
            /**
             * Format: double
             * @description Providers, the whole month.
             */
            providers_usd?: number | null;
            /**
             * Format: double
             * @description In one of ten such months it will be less.
             */
            low_usd?: number | null;
            /**
             * Format: double
             * @description In one of ten it will be more.
             */
            high_usd?: number | null;
            /**
             * Format: double
             * @description With the hosts.
             */
            total_usd?: number | null;
            /**
             * Format: int32
             * @description Finished days it is reckoned from.
             */
            days_seen: number;
            /**
             * Format: int32
             * @description Finished days that are needed.
             */
            days_needed: number;
            /** @description How it is reckoned, in a sentence. */
            method: string;
        };
        /**
         * @description Can the end of the month be foreseen?
         * @enum {string}
         */
        Foresight: "ready" | "too_few_days" | "over";
        /** @description Whether the server can take requests. */
        HealthBody: {
            /** @description `healthy`. */
            status: string;
        };
        /** @description An ID token of Google, under either name. */
        IdTokenBody: {
            /** @description The token. */
            token?: string | null;
            /** @description The token, as Google's own script calls it. */
            credential?: string | null;
        };
        /** @description The caller's ways in by others' word. */
        IdentityList: {
            /** @description Newest first; at most 20. */
            items: components["schemas"]["IdentityView"][];
        };
        /** @description An account at a provider that signs in to the caller's. */
        IdentityView: {
            /** @description Names it. */
            id: string;
            /** @description What people know its provider by; null when that is not configured any more. */
            provider: string | null;
            /** @description The provider's issuer. */
            issuer: string;
            /** @description The e-mail address the account has there, as the provider last said. */
            email: string | null;
            /**
             * Format: date-time
             * @description When it was linked.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it was last used to sign in.
             */
            used_at: string;
        };
        /** @description What a response answers. */
        InputItems: {
            /** @description `list`. */
            object: string;
            /** @description Items: `message`, `function_call`, `function_call_output`, `reasoning`. */
            data: unknown[];
            /** @description The id of the first of them. */
            first_id?: string | null;
            /** @description The id of the last of them. */
            last_id?: string | null;
            /** @description Are there more? */
            has_more: boolean;
        };
        /**
         * @description What a question is about.
         * @enum {string}
         */
        Intent: "code" | "explain" | "summarize" | "creative" | "translation" | "classification" | "status" | "rag" | "retrieval" | "chat" | "legal" | "reasoning";
        /** @description An invitation that has not been taken. */
        Invitation: {
            /** @description Names it. It is no secret. */
            id: string;
            /** @description For whom; null: for whoever has the link. */
            email: string | null;
            /** @description As what. */
            role: components["schemas"]["Role"];
            /** @description The id of who invites. */
            invited_by: string;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it ends.
             */
            expires_at: string;
        };
        /** @description An invitation to be made. */
        InvitationBody: {
            /** @description For whom; absent: for whoever has the link. */
            email?: string | null;
            role?: components["schemas"]["Role"] | null;
        };
        /** @description A page of invitations. */
        InvitationPage: {
            /** @description Newest first. */
            items: components["schemas"]["Invitation"][];
            /** @description Give it back as `cursor` for those that follow; null at the end. */
            next_cursor: string | null;
        };
        /** @description An error on the paths old clients know. */
        LegacyError: {
            /** @description A sentence: what, the limit, the fix. */
            detail: string;
            /** @description The same as under `/v1`. */
            error: components["schemas"]["OpenAiErrorBody"];
        };
        /** @description What a link is good for. */
        LinkAnswer: {
            /** @description What it is good for. */
            kind: components["schemas"]["LinkKind"];
            /** @description Of an invitation: for whom; null: for whoever has the link. */
            email: string | null;
            role: components["schemas"]["Role"] | null;
            /**
             * Format: date-time
             * @description When it ends.
             */
            expires_at: string;
        };
        /** @description A way in to be linked. */
        LinkBody: {
            /** @description The provider, as `/auth/state` names it, or `supabase`. */
            provider: string;
            /** @description A token of it (Google's ID token, Supabase's access token); absent: the browser is sent there. */
            token?: string | null;
            /** @description The caller's password; needed unless they signed in within the last ten minutes. */
            password?: string | null;
        };
        /**
         * @description What a link is good for.
         * @enum {string}
         */
        LinkKind: "setup" | "invitation" | "reset" | "verification";
        /** @description A link just made. Its address is shown this once. */
        LinkMade: {
            /** @description Names it. */
            id: string;
            /** @description To be given to whom it is for. */
            url: string;
            /** @description The same below the page's own origin, for a page that is reached at another address than this server knows of. */
            path: string;
            /**
             * Format: date-time
             * @description When it ends.
             */
            expires_at: string;
        };
        /** @description A place in a team. */
        MemberBody: {
            role?: components["schemas"]["Role"] | null;
        };
        /** @description Everybody in a team. */
        MembersAnswer: {
            /** @description By address. */
            items: components["schemas"]["TeamMember"][];
        };
        /**
         * @description An answer, as Anthropic's Messages give it. In a stream it comes as `message_start`, `content_block_…` and
         *     `message_…` events, with `ping` in silence and `error` where it fails.
         */
        MessageAnswer: {
            /** @description Names the answer. */
            id: string;
            /** @description `message`. */
            type: string;
            /** @description `assistant`. */
            role: string;
            /** @description The name that was asked for. */
            model: string;
            /** @description Blocks: `thinking`, `text`, `tool_use`. */
            content: unknown[];
            /** @description `end_turn`, `max_tokens`, `tool_use`, or `refusal` for an answer that is refused. */
            stop_reason: string;
            /** @description `input_tokens`, `output_tokens`, `cache_read_input_tokens`, `cache_creation_input_tokens`. */
            usage: unknown;
        };
        /**
         * @description A conversation to be answered, as Anthropic's Messages take it. Fields of that API that are not listed here and
         *     change no answer are passed over.
         */
        MessageBody: {
            /** @description `provider/model`, a bare model name, or `goblin` for the automatic choice. */
            model: string;
            /**
             * Format: int32
             * @description Most tokens of the answer, 1–1,000,000.
             */
            max_tokens: number;
            /** @description The conversation, oldest first: objects of `role` (`user` or `assistant`) and `content`. */
            messages: unknown[];
            /** @description Instructions: a text, or blocks of text. */
            system?: unknown;
            /** @description Answer as a stream of events. */
            stream?: boolean | null;
            /**
             * Format: float
             * @description 0–1.
             */
            temperature?: number | null;
            /**
             * Format: float
             * @description 0–1.
             */
            top_p?: number | null;
            /**
             * Format: int32
             * @description The k likeliest tokens only.
             */
            top_k?: number | null;
            /** @description Up to 16 texts that end the answer. */
            stop_sequences?: string[] | null;
            /** @description Functions the model may call: `name`, `description`, `input_schema`. */
            tools?: unknown[] | null;
            /** @description `{"type": "auto|any|tool|none"}`. */
            tool_choice?: unknown;
            /** @description `{"type": "enabled|adaptive|disabled"}`. */
            thinking?: unknown;
            /** @description `effort`, and `format` of the type `json_schema`. */
            output_config?: unknown;
            /** @description `{"user_id": …}`. */
            metadata?: unknown;
        };
        /** @description Which model to ask. */
        ModelChoice: {
            /** @description The model to ask, this time. */
            model?: string | null;
        };
        /** @description The models on offer. */
        ModelList: {
            /** @description `list`. */
            object: string;
            /** @description The models. */
            data: components["schemas"]["ModelObject"][];
        };
        /** @description A model, as OpenAI's list has it. */
        ModelObject: {
            /** @description `provider/model`. */
            id: string;
            /** @description `model`. */
            object: string;
            /**
             * Format: int64
             * @description Seconds since 1970.
             */
            created: number;
            /** @description The provider. */
            owned_by: string;
            /** @description What we know beyond that: context window, capabilities, state, size, places. */
            goblin?: unknown;
        };
        /** @description What a model costs, in US dollars per million tokens, for prompts of the usual length. */
        ModelPrice: {
            /**
             * Format: double
             * @description Of the prompt.
             */
            input_usd: number;
            /**
             * Format: double
             * @description Of the answer.
             */
            output_usd: number;
        };
        /**
         * @description Is the model ready?
         * @enum {string}
         */
        ModelState: "loaded" | "loading" | "available" | "down";
        /** @description A model as the picker shows it. */
        ModelStatus: {
            /** @description `provider/model`. */
            id: string;
            /** @description The provider. */
            provider: string;
            /**
             * @description Does what it is asked stay on the operator's machines? A model in Ollama's cloud is not local, though its Ollama
             *     may be.
             */
            local: boolean;
            /**
             * Format: int32
             * @description Tokens of prompt and answer together.
             */
            context_window: number | null;
            /** @description Readiness. */
            state: components["schemas"]["ModelState"];
            /** @description What it can do now. */
            capabilities: components["schemas"]["Capability"][];
            /** @description A small model that only shows that everything works. */
            starter: boolean;
            /**
             * Format: int64
             * @description Bytes of the weights.
             */
            size_bytes: number | null;
            /** @description For example `135M`. */
            parameters: string | null;
            /**
             * Format: int64
             * @description Bytes it takes in memory now, when it is loaded and known.
             */
            memory_bytes: number | null;
            /** @description Its server says that it is not in memory: the next question loads it first. */
            must_load: boolean;
            /**
             * Format: int32
             * @description Requests waiting for a place at it.
             */
            queued: number;
            /**
             * Format: int64
             * @description How long a newcomer would wait for a place, in milliseconds.
             */
            predicted_wait_ms: number | null;
            /**
             * Format: int64
             * @description From having a place to the first token of a prompt of the usual size, loading included, in milliseconds;
             *     `null` until something was measured or reported.
             */
            predicted_first_token_ms: number | null;
            /**
             * Format: double
             * @description Measured tokens per second of one answer, when known.
             */
            decode_tokens_per_second: number | null;
            price: components["schemas"]["ModelPrice"] | null;
        };
        /** @description What somebody is called from now on. */
        NameChange: {
            /** @description 1–200 characters; null: nothing but the address. */
            name: string | null;
        };
        /** @description An answer, as Ollama gives it; in a stream each line is one of these with a piece, the last with `done` true. */
        OllamaAnswer: {
            /** @description The name that was asked for. */
            model: string;
            /** @description When it was begun, RFC 3339. */
            created_at: string;
            /** @description Of `/api/chat`: `role`, `content`, `thinking`, `tool_calls`. */
            message?: unknown;
            /** @description Of `/api/generate`: the text. */
            response?: string | null;
            /** @description Is it the end? */
            done: boolean;
            /** @description `stop`, `length`, `load`, `unload`, or `content_filter` for an answer that is refused. */
            done_reason?: string | null;
            /**
             * Format: int32
             * @description Tokens of the prompt, at the end.
             */
            prompt_eval_count?: number | null;
            /**
             * Format: int32
             * @description Tokens of the answer, at the end.
             */
            eval_count?: number | null;
        };
        /** @description A conversation to be answered, as Ollama takes it. */
        OllamaChatBody: {
            /** @description `provider/model`, a bare model name, or `goblin` for the automatic choice. */
            model: string;
            /**
             * @description The conversation, oldest first: `role`, `content`, `images`, `tool_calls`. Without any nothing is answered: the
             *     model is brought into memory, or with `keep_alive` 0 taken out of it.
             */
            messages?: unknown[] | null;
            /** @description Answer as lines of JSON; true when absent. */
            stream?: boolean | null;
            /** @description Functions the model may call. */
            tools?: unknown[] | null;
            /** @description `json`, or a JSON schema. */
            format?: unknown;
            /** @description How tokens are chosen, `num_ctx`, `num_predict` … */
            options?: unknown;
            /** @description True, false, `low`, `medium` or `high`. */
            think?: unknown;
            /** @description How long the model stays in memory: seconds, or a text like `5m`. */
            keep_alive?: unknown;
        };
        /** @description Texts to be turned into vectors, as Ollama takes them. */
        OllamaEmbedBody: {
            /** @description `provider/model`, a bare model name, or `goblin` for any that can. */
            model: string;
            /** @description A text, or up to 2,048 of them. */
            input?: unknown;
            /** @description The one text, as older clients send it; they get `{"embedding": […]}`. */
            prompt?: string | null;
            /** @description May a text that is too long be cut? True when absent. */
            truncate?: boolean | null;
            /**
             * Format: int32
             * @description Shorter vectors, of models that can.
             */
            dimensions?: number | null;
            /** @description How long the model stays in memory. */
            keep_alive?: unknown;
        };
        /** @description An error at Ollama's paths. */
        OllamaError: {
            /** @description A sentence: what, the limit, the fix. */
            error: string;
        };
        /** @description A prompt to be answered, as Ollama takes it; gone on with as it stands with `raw` or `suffix`. */
        OllamaGenerateBody: {
            /** @description As for `/api/chat`. */
            model: string;
            /** @description The text. Without one nothing is answered, as for `/api/chat`. */
            prompt?: string | null;
            /** @description Instructions. */
            system?: string | null;
            /** @description What comes after the gap. */
            suffix?: string | null;
            /** @description No template around the prompt. */
            raw?: boolean | null;
            /** @description Bytes of images in base64. */
            images?: string[] | null;
            /** @description Answer as lines of JSON; true when absent. */
            stream?: boolean | null;
            /** @description `json`, or a JSON schema. */
            format?: unknown;
            /** @description How tokens are chosen, `num_ctx`, `num_predict` … */
            options?: unknown;
            /** @description True, false, `low`, `medium` or `high`. */
            think?: unknown;
            /** @description How long the model stays in memory. */
            keep_alive?: unknown;
        };
        /** @description A model, as Ollama describes it. */
        OllamaModel: {
            /** @description `family`, `parameter_size`, `quantization_level` … */
            details: unknown;
            /** @description Its architecture and context length, where they are known. */
            model_info: unknown;
            /** @description `completion`, `tools`, `vision`, `thinking`, `embedding`. */
            capabilities: string[];
        };
        /** @description A model that is asked about. */
        OllamaModelName: {
            /** @description Its name. */
            model: string;
        };
        /** @description Models, as Ollama lists them. */
        OllamaModels: {
            /** @description `name`, `model`, `size`, `digest`, `details` … */
            models: unknown[];
        };
        /** @description Vectors, one a text. */
        OllamaVectors: {
            /** @description The name that was asked for. */
            model?: string | null;
            /** @description One vector a text, in the order of the texts. */
            embeddings?: number[][] | null;
            /** @description The one vector, for older clients. */
            embedding?: number[] | null;
            /**
             * Format: int32
             * @description Tokens of all texts together.
             */
            prompt_eval_count?: number | null;
        };
        /** @description Which version of Ollama's wire is spoken. */
        OllamaVersion: {
            /** @description A version of Ollama, and ours behind a plus sign. */
            version: string;
        };
        /**
         * @description What happens to a request for which there is no money left.
         * @enum {string}
         */
        OnReached: "refuse" | "local";
        /** @description An error under `/v1`. */
        OpenAiError: {
            /** @description What went wrong. */
            error: components["schemas"]["OpenAiErrorBody"];
        };
        /** @description What went wrong. */
        OpenAiErrorBody: {
            /** @description A sentence: what, the limit, the fix. */
            message: string;
            /** @description `invalid_request_error`, `authentication_error`, `server_error` … */
            type: string;
            /** @description The field at fault. */
            param: string | null;
            /** @description One of a closed set a client may branch on. */
            code: string;
        };
        /** @description What came of requests since this process began. Each number only grows: whoever looks twice has the rate between. */
        Outcomes: {
            /**
             * Format: int64
             * @description Requests, but for those about health.
             */
            requests: number;
            /**
             * Format: int64
             * @description Of these: refused for what the caller sent, or may not do (status 400 to 499).
             */
            refused: number;
            /**
             * Format: int64
             * @description Of these: failed for what was wrong here or behind (status 500 and above, before the first byte).
             */
            failed: number;
            /**
             * Format: int64
             * @description Answers of models.
             */
            answers: number;
            /**
             * Format: int64
             * @description Of these: failed, also after they had begun, and also where the model server refused the question.
             */
            answers_failed: number;
            /**
             * Format: int64
             * @description Times a model server failed or refused, whether another one answered in its place or not.
             */
            attempts_failed: number;
        };
        /** @description An error of the page. */
        PageError: {
            /** @description The error's name; at most 64 characters. Names that are not known count as `Error`. */
            kind: string;
            /** @description Its message; at most 1,000 characters. Told on only where it is one of a browser's own sentences. */
            message?: string;
            /** @description Its stack; at most 4,000 characters. Told on as places in the page's own files. */
            stack?: string;
            /** @description Where in the page. */
            page: components["schemas"]["PageName"];
        };
        /** @description Something that was done with the page. */
        PageEvent: {
            /** @description What. */
            name: components["schemas"]["EventName"];
            /** @description Where in the page. */
            page: components["schemas"]["PageName"];
        };
        /**
         * @description A place in the page.
         * @enum {string}
         */
        PageName: "new_chat" | "chat" | "account" | "admin" | "entrance" | "other";
        /** @description One report. */
        PageReport: {
            /** @description A random id of this visit, made by the page when it starts and kept nowhere: a UUID. */
            visit: string;
            /** @description At most 5. */
            errors: components["schemas"]["PageError"][];
            /** @description At most 20. */
            events: components["schemas"]["PageEvent"][];
        };
        /** @description Sampling settings of a chat. Absent means the model's default. */
        Parameters: {
            /**
             * Format: float
             * @description 0–2.
             */
            temperature?: number | null;
            /**
             * Format: float
             * @description 0–1.
             */
            top_p?: number | null;
            /**
             * Format: int32
             * @description 0–1000; 0 = all.
             */
            top_k?: number | null;
            /**
             * Format: float
             * @description 0–1.
             */
            min_p?: number | null;
            /**
             * Format: int32
             * @description 1–1,000,000.
             */
            max_tokens?: number | null;
            /**
             * Format: int64
             * @description Makes sampling repeatable.
             */
            seed?: number | null;
            /** @description Up to 16 texts that end the answer. */
            stop?: string[];
            /**
             * Format: float
             * @description -2–2.
             */
            presence_penalty?: number | null;
            /**
             * Format: float
             * @description -2–2.
             */
            frequency_penalty?: number | null;
        };
        /**
         * @description How a part is.
         * @enum {string}
         */
        PartState: "ok" | "starting" | "degraded" | "down";
        /** @description One part of this process. */
        PartStatus: {
            /** @description `backend`, `database`. */
            name: string;
            /** @description How it is. */
            state: components["schemas"]["PartState"];
            /** @description A sentence: what happened. Never an address. */
            detail: string;
            /** @description What to do, when something is to be done. */
            fix: string | null;
        };
        /** @description A passkey, as its owner sees it. */
        Passkey: {
            /** @description Names it. */
            id: string;
            /** @description What its owner calls it. */
            name: string;
            /** @description The host of the page it works on. */
            host: string;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it was last used to sign in; null: never.
             */
            used_at: string | null;
            /**
             * Format: date-time
             * @description When its counter went back, so that two must have it; it signs nobody in any more. Null: never.
             */
            copied_at: string | null;
        };
        /** @description What begins a passkey; a browser's sign-in of the last ten minutes needs none of it. */
        PasskeyBegin: {
            /** @description The caller's password, when the sign-in is older. */
            password?: string | null;
        };
        /** @description The answer of an authenticator that made a passkey. */
        PasskeyBody: {
            /** @description What the first half gave. */
            ceremony: string;
            /** @description What `navigator.credentials.create` gave, as its `toJSON` writes it. */
            credential: unknown;
            /** @description What to call it, 1–200 characters. */
            name?: string | null;
        };
        /** @description The first half of a ceremony, good for five minutes and one answer. */
        PasskeyCeremony: {
            /** @description Given back with the answer. */
            ceremony: string;
            /** @description For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`. */
            options: unknown;
        };
        /** @description The caller's passkeys. */
        PasskeyList: {
            /** @description Newest first. */
            items: components["schemas"]["Passkey"][];
        };
        /** @description Another name for a passkey. */
        PasskeyName: {
            /** @description 1–200 characters. */
            name: string;
        };
        /** @description The answer of an authenticator that a passkey was used on. */
        PasskeySignInBody: {
            /** @description What the first half gave. */
            ceremony: string;
            /** @description What `navigator.credentials.get` gave, as its `toJSON` writes it. */
            credential: unknown;
        };
        /** @description The caller's password. */
        PasswordBody: {
            /** @description Needed unless they signed in within the last ten minutes. */
            password?: string | null;
        };
        /** @description Another password. */
        PasswordChange: {
            /** @description The password as it is; absent where there is none yet. */
            current_password?: string | null;
            /** @description The password to be, 8–1024 bytes. */
            new_password: string;
        };
        /** @description An error as our own paths show it (RFC 9457, `application/problem+json`). */
        Problem: {
            /** @description Always `about:blank`. */
            type: string;
            /** @description The status in words. */
            title: string;
            /**
             * Format: int32
             * @description HTTP status.
             */
            status: number;
            /** @description One of a closed set a client may branch on. */
            code: string;
            /** @description A sentence: what, the limit, the fix. */
            detail: string;
            /** @description The field at fault. */
            param: string | null;
            /** @description Finds the log line. */
            request_id: string | null;
            /**
             * Format: int64
             * @description When to come back.
             */
            retry_after_seconds?: number | null;
        };
        /** @description A change to a cloud. An absent field stays. */
        ProviderChange: {
            /** @description The key it is called with: 1–512 visible ASCII characters. It is kept sealed and never returned. */
            key?: string | null;
            /** @description May it be asked? */
            enabled?: boolean | null;
            /**
             * @description Where it is called: a public https address. A key goes only to the address it was given for, so `key` must come
             *     with it. Null: where the configuration says.
             */
            base_url?: string | null;
            /** @description The models it offers, by their names there, at most 1000. Null: all. */
            shown_models?: string[] | null;
        };
        /** @description The key a provider is to be called with. */
        ProviderKeyBody: {
            /** @description The key: 1–512 visible ASCII characters. It is kept sealed and never returned. */
            key: string;
        };
        /** @description The providers that have a key. */
        ProviderKeyList: {
            /** @description By provider. */
            items: components["schemas"]["ProviderKeyState"][];
        };
        /** @description That a provider has a key. */
        ProviderKeyState: {
            /** @description The provider's id. */
            provider: string;
            /** @description The key's last four characters; empty for a short key. */
            last_four: string;
            /**
             * Format: date-time
             * @description When it was set.
             */
            updated_at: string;
            /** @description The id of who set it. */
            updated_by: string;
        };
        /** @description The clouds known by name. */
        ProviderList: {
            /** @description In the order in which they are listed everywhere. */
            items: components["schemas"]["CloudState"][];
        };
        /** @description A provider people may sign in at. */
        ProviderShown: {
            /** @description Its name in paths: `google`, `oidc`, `oidc-2` … */
            id: string;
            /** @description What people know it by. */
            name: string;
        };
        /**
         * @description A thumb.
         * @enum {string}
         */
        Rating: "up" | "down";
        /** @description A refresh token. */
        RefreshBody: {
            /** @description The refresh token last given. */
            refresh_token: string;
        };
        /** @description An account to be made. */
        RegisterBody: {
            /** @description The e-mail address. */
            email: string;
            /** @description The password, 8–1024 bytes. */
            password: string;
            /** @description What they are called, 1–200 characters. */
            name?: string | null;
        };
        /** @description A password to be set by a link. */
        ResetBody: {
            /** @description What stands behind `#` in the link. */
            token: string;
            /** @description The password, 8–1024 bytes. */
            password: string;
        };
        /**
         * @description A conversation to be answered, as OpenAI's Responses take it. What is not listed here and would change an answer is
         *     refused.
         */
        ResponseBody: {
            /** @description `provider/model`, a bare model name, or `goblin` for the automatic choice. */
            model: string;
            /**
             * @description What a person says: a text; or the conversation: items `message`, `function_call`, `function_call_output` and
             *     `reasoning`, oldest first.
             */
            input: unknown;
            /** @description Instructions, in front of `input`. */
            instructions?: string | null;
            /** @description Answer as a stream of events. */
            stream?: boolean | null;
            /**
             * Format: int32
             * @description Most tokens of the answer, 1–1,000,000.
             */
            max_output_tokens?: number | null;
            /**
             * Format: float
             * @description 0–2.
             */
            temperature?: number | null;
            /**
             * Format: float
             * @description 0–1.
             */
            top_p?: number | null;
            /**
             * Format: int32
             * @description Report each token's log-probability with the n likeliest alternatives, 0–20.
             */
            top_logprobs?: number | null;
            /** @description `message.output_text.logprobs`: report each token's log-probability. */
            include?: string[] | null;
            /** @description Functions the model may call: `type` (`function`), `name`, `description`, `parameters`. */
            tools?: unknown[] | null;
            /** @description `auto`, `none`, `required`, or one function. */
            tool_choice?: unknown;
            /** @description May several functions be called at once? */
            parallel_tool_calls?: boolean | null;
            /** @description `format`: `text`, `json_object` or `json_schema`. */
            text?: unknown;
            /** @description `effort`: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`. */
            reasoning?: unknown;
            /** @description Up to 16 texts by name, repeated in the response. */
            metadata?: unknown;
            /** @description Keep the response, for as long as this server keeps them. False by default. */
            store?: boolean | null;
            /** @description A kept response that this one goes on from. */
            previous_response_id?: string | null;
            /** @description Who the end user is. */
            user?: string | null;
        };
        /** @description A response is gone. */
        ResponseDeleted: {
            /** @description Which. */
            id: string;
            /** @description `response`. */
            object: string;
            /** @description True. */
            deleted: boolean;
        };
        /** @description A response, as OpenAI's Responses give it. It repeats most fields of its request. */
        ResponseObject: {
            /** @description Names it. It is kept under that where `store` is true. */
            id: string;
            /** @description `response`. */
            object: string;
            /**
             * Format: int64
             * @description Seconds since 1970.
             */
            created_at: number;
            /** @description `completed`, or `incomplete`. */
            status: string;
            /** @description `max_output_tokens` or `content_filter`, of one that is incomplete. */
            incomplete_details?: unknown;
            /** @description Who answered, `provider/model`. */
            model: string;
            /** @description Items: `reasoning`, `message`, `function_call`. */
            output: unknown[];
            /** @description `input_tokens`, `output_tokens`, `total_tokens` and what of them was cached or reasoning. */
            usage?: unknown;
            /** @description Is it kept? */
            store: boolean;
            /** @description The response it goes on from. */
            previous_response_id?: string | null;
            /** @description Of names like `goblin`: why the answer comes from where it comes from. */
            goblin?: unknown;
        };
        /** @description An answer that was taken back. */
        Retracted: {
            /** @description Whose answer it was, `provider/model`. */
            model: string;
            /** @description The rule it was taken back by, as in [`crate::trace::Safety::refused_by`]. */
            rule: string;
            /** @description Why, in a sentence. */
            why: string;
        };
        /**
         * @description What an account may do. Each role may do what the ones before it may.
         * @enum {string}
         */
        Role: "viewer" | "member" | "admin" | "owner";
        /** @description How the ladder was made. */
        RouteRecord: {
            /** @description Version of the policy that decided: a hash of what is in force. */
            policy: string;
            intent?: components["schemas"]["Intent"] | null;
            /**
             * Format: double
             * @description 0–1; 1 when the caller named the intent.
             */
            intent_confidence: number;
            runner_up?: components["schemas"]["Intent"] | null;
            /** @description Language of the question (ISO 639-3), when certain. */
            language?: string | null;
            /** @description Role of the policy that answers first. */
            role?: string | null;
            /** @description What the choice was made by. */
            features: components["schemas"]["Feature"][];
            /** @description Every model that was looked at, those of the ladder first, in order. */
            candidates: components["schemas"]["Considered"][];
        };
        /** @description How safe question and answer are. */
        Safety: {
            /**
             * Format: double
             * @description P(safe): the lowest of all verdicts; absent when nobody judged.
             */
            probability?: number | null;
            /** @description The category that was most likely where it was lowest, unless that is `safe`. */
            category?: string | null;
            /** @description May it act? */
            authority: components["schemas"]["Authority"];
            /** @description What the checks inside this process found, by rule. */
            found: string[];
            /** @description The rule an answer was refused by. */
            refused_by?: string | null;
        };
        /** @description A turn as it was saved. */
        Saved: {
            /** @description The turn. */
            turn: components["schemas"]["Turn"];
        };
        /** @description What left the operator's machines. */
        Sent: {
            /** @description To which provider. */
            to: string;
            /**
             * Format: int64
             * @description Bytes of text.
             */
            bytes: number;
        };
        /** @description A sign-in that has not ended, as its owner sees it. */
        Session: {
            /** @description Names it. It is no secret. */
            id: string;
            /** @description A browser or another program. */
            kind: components["schemas"]["SessionKind"];
            /** @description `password`, `passkey`, `setup`, `register`, `invitation`, `google`, `oidc` or `supabase`. */
            signed_in_by: string;
            /** @description The network address it was begun from. */
            address: string | null;
            /** @description What the client calls itself. */
            device: string | null;
            /**
             * Format: date-time
             * @description When it was begun.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it was last used, to about a minute.
             */
            seen_at: string;
            /**
             * Format: date-time
             * @description When it ends unless it is used before.
             */
            idle_until: string;
            /**
             * Format: date-time
             * @description When it ends in any case.
             */
            expires_at: string;
        };
        /**
         * @description What holds a sign-in.
         * @enum {string}
         */
        SessionKind: "browser" | "tokens";
        /** @description A page of sign-ins. */
        SessionPage: {
            /** @description Last used first. */
            items: components["schemas"]["SessionShown"][];
            /** @description Give it back as `cursor` for those that follow; null at the end. */
            next_cursor: string | null;
        };
        /** @description A sign-in of the caller. */
        SessionShown: components["schemas"]["Session"] & {
            /** @description Is it the one this request is made with? */
            current: boolean;
        };
        /**
         * @description Who said what is in force. What stands further up beats what stands below it.
         * @enum {string}
         */
        SetBy: "environment" | "page" | "file" | "default";
        /** @description The first account to be made. */
        SetupBody: {
            /** @description What stands behind `#` in the set-up link; not needed in local mode. */
            token?: string | null;
            /** @description The e-mail address. */
            email: string;
            /** @description The password, 8–1024 bytes. */
            password: string;
            /** @description What they are called, 1–200 characters. */
            name?: string | null;
        };
        /**
         * @description Somebody just signed in. A browser (a request with `Sec-Fetch-Site` or `Origin`) gets a cookie and none of the
         *     tokens; other programs get tokens and no cookie.
         */
        SignInAnswer: {
            /** @description Sent as `Authorization: Bearer …`. */
            access_token?: string | null;
            /** @description `bearer`. */
            token_type?: string | null;
            /**
             * Format: int64
             * @description Seconds until the access token ends.
             */
            expires_in?: number | null;
            /** @description Exchanged at `POST /auth/refresh` for both anew, once. Presented twice, the whole sign-in ends. */
            refresh_token?: string | null;
            /** @description Who. */
            user: components["schemas"]["User"];
        };
        /** @description Address and password. Also taken as a form, with `username` for `email`. */
        SignInBody: {
            /** @description The e-mail address. */
            email: string;
            /** @description The password, 1–1024 bytes. */
            password: string;
        };
        /** @description How people come in here. */
        SignInState: {
            /**
             * @description `local`: nobody signs in, whoever sits at this machine is the owner; `setup`: the first account has to be made;
             *     `accounts`: a sign-in is needed.
             */
            mode: string;
            /** @description May anybody make an account with `POST /auth/register`? */
            registration_open: boolean;
            /** @description Does this server send mail? Then a forgotten password needs nobody else. */
            sends_mail: boolean;
            /** @description How one can sign in: `password`, `passkey`, `provider` (at one of `providers`). */
            methods: string[];
            /** @description The pages on which passkeys can be made and used, the canonical one first; none: there can be none. */
            passkey_origins: string[];
            /**
             * @description Who else vouches for people, in the order in which they are offered. A browser is sent to the address that
             *     `GET /auth/oidc/{id}/url` gives.
             */
            providers: components["schemas"]["ProviderShown"][];
            /**
             * @description `secure`: encrypted; `near`: plain HTTP within this machine or a private network, where the page should warn;
             *     `far`: plain HTTP, where nobody can sign in.
             */
            way: string;
            user: components["schemas"]["User"] | null;
        };
        /** @description One model's attempt. */
        Step: {
            /** @description `provider/model`. */
            model: string;
            /** @description The provider. */
            provider: string;
            /** @description Did what it was asked stay on the operator's machines? */
            local: boolean;
            /**
             * Format: int64
             * @description When it began, in milliseconds after the question.
             */
            started_ms: number;
            /**
             * Format: int64
             * @description Its first token, likewise.
             */
            first_token_ms?: number | null;
            /**
             * Format: int64
             * @description When it ended, likewise.
             */
            ended_ms?: number | null;
            /**
             * Format: int32
             * @description Tokens of its prompt, when counted.
             */
            prompt_tokens: number;
            /**
             * Format: int32
             * @description Tokens it made.
             */
            tokens: number;
            /**
             * Format: double
             * @description What it cost in US dollars; local 0, absent when there is no price.
             */
            cost_usd?: number | null;
            /** @description What was asked about its answer. */
            verdicts: components["schemas"]["Verdict"][];
            tokens_probability?: components["schemas"]["TokenFeatures"] | null;
            /** @description How it ended. */
            outcome: components["schemas"]["StepOutcome"];
            /** @description Why it ended so, in a sentence. */
            why?: string | null;
        };
        /**
         * @description How an attempt of one model ended.
         * @enum {string}
         */
        StepOutcome: "running" | "accepted" | "low_confidence" | "escalated" | "rejected" | "failed" | "cancelled";
        /** @description A better model for this machine. */
        Suggestion: {
            /** @description Its name. */
            model: string;
            /** @description Why it is suggested. */
            reason: string;
            /** @description What to run. */
            command: string;
        };
        /** @description An answer that was put aside. */
        Superseded: {
            /** @description Whose answer it was, `provider/model`. */
            model: string;
            /** @description Who answers now, `provider/model`. */
            by: string;
            /** @description Does what is asked now stay on the operator's machines? */
            local: boolean;
            /** @description Why, in a sentence. */
            why: string;
        };
        /** @description Answers to typed questions. */
        SystemOneAnswers: {
            /** @description Who answered, `provider/model`. */
            model: string;
            /**
             * @description By the questions' names. `noul`: the probability of yes; `choice`: `choice`, `probabilities`, `confidence`;
             *     `score`: `score` (the expected level, from 0), `legend`, `probabilities`, `confidence`. All with `x_mass`.
             */
            answers: unknown;
            /** @description `input_tokens`, and `output_tokens`, which is 0. */
            usage: unknown;
        };
        /** @description Typed questions about a text. */
        SystemOneBody: {
            /** @description `provider/model`, a bare model name, `goblin`, or `jev-latest` for whichever can best. */
            model: string;
            /** @description What the questions are about: a string, an object or an array. */
            state: unknown;
            /**
             * @description 1–64 questions by name: `{"type": "noul|choice|score", "instructions", "criteria"}`. Of `noul` the criteria may
             *     be absent or `{"true": …, "false": …}`, of `choice` they are an object of 1–255 options with a description or
             *     null, of `score` a list of 2–10 levels from low to high.
             */
            questions: unknown;
        };
        /** @description An error at `/v1/systemone`. */
        SystemOneError: {
            /** @description Of a wrong request a list of `loc`, `msg` and `type`; else `error_type` and `message`. */
            detail: unknown;
            /** @description The same as under the rest of `/v1`. */
            error: components["schemas"]["OpenAiErrorBody"];
        };
        /** @description The state of everything. */
        SystemStatus: {
            /** @description Of this binary. */
            version: string;
            /** @description `local` (no sign-in) or `accounts`. */
            mode: string;
            /** @description The model that answers when none is named. */
            default_model: string | null;
            /** @description The parts of this process. */
            tiers: components["schemas"]["PartStatus"][];
            /** @description Every server that answers questions, in the order they are preferred. */
            upstreams: components["schemas"]["UpstreamStatus"][];
            /** @description Every model, also those of servers that are away, as far as they were ever heard of. */
            models: components["schemas"]["ModelStatus"][];
            suggestion: components["schemas"]["Suggestion"] | null;
            /** @description What to do when no model is there: the exact sentence and command. */
            no_model_help: string | null;
            outcomes: components["schemas"]["Outcomes"] | null;
        };
        /** @description People who belong together. A team owns nothing: chats, traces and usage are one person's each. */
        Team: {
            /** @description Names it. */
            id: string;
            /** @description What it is called, unlike every other. */
            name: string;
            /**
             * Format: int64
             * @description How many are in it.
             */
            members: number;
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
        };
        /** @description A team to be made, or its other name. */
        TeamBody: {
            /** @description What it is called, 1–200 characters, unlike every other. */
            name: string;
        };
        /** @description Somebody in a team. */
        TeamMember: {
            /** @description The account's id. */
            id: string;
            /** @description The account's e-mail address. */
            email: string;
            /** @description What they are called. */
            name: string | null;
            /** @description What they may do within the team. */
            role: components["schemas"]["Role"];
            /**
             * Format: date-time
             * @description Since when they are in it.
             */
            created_at: string;
        };
        /** @description A page of teams. */
        TeamPage: {
            /** @description Newest first. */
            items: components["schemas"]["Team"][];
            /** @description Give it back as `cursor` for those that follow; null at the end. */
            next_cursor: string | null;
        };
        /** @description The figures verdicts were compared with. */
        Thresholds: {
            /**
             * Format: double
             * @description P(safe) below this is unsafe.
             */
            safety: number;
            /**
             * Format: double
             * @description A confidence from this on is accepted.
             */
            confidence: number;
            /**
             * Format: double
             * @description A confidence below this is refused where no rung is left.
             */
            critical: number;
        };
        /** @description A token. */
        TokenBody: {
            /** @description The token. */
            token: string;
        };
        /**
         * @description Natural logarithms of the probabilities of an answer's own tokens, summed up in numbers that do not depend on its
         *     length.
         */
        TokenFeatures: {
            /**
             * Format: int32
             * @description Tokens seen.
             */
            tokens: number;
            /**
             * Format: double
             * @description The least likely.
             */
            min: number;
            /**
             * Format: double
             * @description 5 % are less likely.
             */
            p5: number;
            /**
             * Format: double
             * @description 10 % are less likely.
             */
            p10: number;
            /**
             * Format: double
             * @description 25 % are less likely.
             */
            p25: number;
            /**
             * Format: double
             * @description The mean.
             */
            mean: number;
            /**
             * Format: double
             * @description Mean entropy in nats over the rivals reported, when there were any.
             */
            entropy?: number | null;
        };
        /** @description How many tokens a conversation has. */
        TokensCounted: {
            /**
             * Format: int32
             * @description Tokens of the prompt. Of a model that cannot count, an estimate.
             */
            input_tokens: number;
        };
        /** @description Why an answer came from where it came from. */
        Trace: {
            /** @description Names it; also in the header `x-goblin-trace-id`. */
            trace_id: string;
            /**
             * Format: int64
             * @description Milliseconds since 1970 at the question.
             */
            created_at_ms: number;
            /** @description The model asked for. */
            model: string;
            /** @description How it was checked. */
            verify: components["schemas"]["VerifyMode"];
            /** @description What verdicts were compared with. */
            thresholds: components["schemas"]["Thresholds"];
            /** @description How the ladder was made. */
            route: components["schemas"]["RouteRecord"];
            /** @description Each model's attempt, in order. */
            steps: components["schemas"]["Step"][];
            /** @description What was asked about the question. */
            prompt_verdicts: components["schemas"]["Verdict"][];
            confidence?: components["schemas"]["Confidence"] | null;
            safety?: components["schemas"]["Safety"] | null;
            /** @description What was not as configured, and what was done instead: sentences for people. */
            notes: string[];
            /**
             * Format: double
             * @description What it cost in US dollars, its judges included; absent when a model without a price was asked.
             */
            cost_usd?: number | null;
            /**
             * Format: double
             * @description What the most expensive model of the ladder would have cost; absent when one of them has no price.
             */
            would_have_cost_usd?: number | null;
            /** @description Did anything leave the operator's machines? */
            left_machine: boolean;
            /** @description What left them. */
            sent: components["schemas"]["Sent"][];
            /** @description Was it taken from the cache? */
            cache: components["schemas"]["CacheUse"];
        };
        /** @description A page of traces. */
        TracePage: {
            /** @description Newest first. */
            items: components["schemas"]["TraceSummary"][];
            /** @description Give it back as `cursor` for the traces that follow; null at the end. */
            next_cursor: string | null;
        };
        /** @description What is shown of a trace before it is opened. */
        TraceSummary: {
            /** @description Names the trace. */
            trace_id: string;
            /**
             * Format: int64
             * @description Milliseconds since 1970 at the question.
             */
            created_at_ms: number;
            /** @description The model asked for. */
            asked_for: string;
            /** @description Whose answer it is, `provider/model`; absent when nobody answered. */
            model: string | null;
            /** @description How it ended. */
            outcome: components["schemas"]["StepOutcome"];
            /** @description How it was checked. */
            verify: components["schemas"]["VerifyMode"];
            /**
             * Format: int32
             * @description How many models were asked for an answer.
             */
            steps: number;
            /** @description Did a judge with authority look at it? */
            checked: boolean;
            confidence: components["schemas"]["Confidence"] | null;
            /** @description The rule an answer was refused by. */
            refused_by: string | null;
            /**
             * Format: double
             * @description What it cost in US dollars; absent when a model without a price was asked.
             */
            cost_usd: number | null;
            /** @description Did anything leave the operator's machines? */
            left_machine: boolean;
        };
        /** @description A trace, whole or so far. */
        Traced: {
            /** @description The trace. */
            trace: components["schemas"]["Trace"];
        };
        /** @description A question and its answer. */
        Turn: {
            /** @description UUIDv7. */
            id: string;
            /** @description The chat. */
            chat_id: string;
            /** @description The turn before; absent for a first turn. */
            parent: string | null;
            /** @description The question. */
            content: string;
            /** @description Files attached to it, in order. */
            attachments: components["schemas"]["Attachment"][];
            /** @description The answer so far. */
            answer: string;
            /** @description Reasoning text, when the model shows it. */
            reasoning: string | null;
            /** @description How far it is. */
            status: components["schemas"]["TurnStatus"];
            /** @description `stop`, `length`, `tool_calls` or `content_filter`. */
            finish_reason: string | null;
            /** @description Who answered, `provider/model`. */
            model: string | null;
            /** @description Did it stay on the operator's machines? */
            local: boolean | null;
            error: components["schemas"]["Problem"] | null;
            usage: components["schemas"]["TurnUsage"] | null;
            /**
             * Format: int32
             * @description Older turns left out of the prompt because the context was full.
             */
            left_out: number;
            timing: components["schemas"]["TurnTiming"] | null;
            trace: components["schemas"]["TraceSummary"] | null;
            feedback: components["schemas"]["Feedback"] | null;
            /** @description Turns with the same parent, oldest first, this one included. */
            siblings: string[];
            /**
             * Format: date-time
             * @description When it was asked.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description When it ended.
             */
            finished_at: string | null;
        };
        /** @description A question. */
        TurnBody: {
            /** @description The question, at most 1 MiB. */
            content: string;
            /** @description Ids of files attached to it, in order, each once; at most 10. */
            attachments?: string[] | null;
            /** @description The turn before; absent = the chat's head, null = a new first turn. */
            parent?: string | null;
            /** @description The model to ask, this time. */
            model?: string | null;
        };
        /** @description Another question in a turn's place. */
        TurnEdit: {
            /** @description The question, at most 1 MiB. */
            content: string;
            /** @description Ids of its files, in order; absent = those of the question before. */
            attachments?: string[] | null;
            /** @description The model to ask, this time. */
            model?: string | null;
        };
        /** @description One event of a turn. Its SSE `event:` name is [`TurnEvent::name`], its `data:` the inner object. */
        TurnEvent: {
            /** @description The turn. */
            turn: components["schemas"]["Turn"];
            /** @description Its chat. */
            chat: components["schemas"]["Chat"];
        } | components["schemas"]["Delta"] | components["schemas"]["Delta"] | components["schemas"]["Checking"] | components["schemas"]["Superseded"] | components["schemas"]["Retracted"] | components["schemas"]["Traced"] | components["schemas"]["Saved"] | components["schemas"]["Saved"];
        /** @description A page of turns. */
        TurnPage: {
            /** @description Oldest first. */
            items: components["schemas"]["Turn"][];
            /** @description Are there turns above the first one? */
            has_more: boolean;
        };
        /**
         * @description How far a turn is.
         * @enum {string}
         */
        TurnStatus: "streaming" | "complete" | "stopped" | "incomplete" | "failed";
        /** @description How long a turn took. */
        TurnTiming: {
            /**
             * Format: int64
             * @description From the question's arrival to the first text, in milliseconds.
             */
            first_token_ms: number;
            /**
             * Format: int64
             * @description From the question's arrival to the end, in milliseconds.
             */
            total_ms: number;
        };
        /** @description Tokens of a turn. */
        TurnUsage: {
            /**
             * Format: int32
             * @description Tokens of the prompt.
             */
            prompt_tokens: number;
            /**
             * Format: int32
             * @description Tokens of the answer.
             */
            completion_tokens: number;
            /**
             * Format: int32
             * @description Both.
             */
            total_tokens: number;
            /**
             * Format: int32
             * @description Of the prompt, not evaluated again.
             */
            cached_tokens: number;
        };
        /**
         * @description What kind of server it is.
         * @enum {string}
         */
        UpstreamKind: "engine" | "model_tier" | "ollama" | "llama_server" | "other";
        /**
         * @description How an upstream is.
         * @enum {string}
         */
        UpstreamState: "up" | "slow" | "loading" | "down" | "refused" | "broken";
        /** @description A server that answers questions. */
        UpstreamStatus: {
            /** @description Stays the same; the first part of its models' ids. */
            id: string;
            /** @description What people call it. */
            name: string;
            /** @description What it is. */
            kind: components["schemas"]["UpstreamKind"];
            /** @description Is it one of the operator's machines? Each of its models says whether it stays there. */
            local: boolean;
            /** @description How it is. */
            state: components["schemas"]["UpstreamState"];
            /** @description A sentence: what is the matter. Never an address, never the upstream's own words. */
            detail: string;
            /** @description What to do, when something can be done. */
            fix: string | null;
            /**
             * Format: int32
             * @description How much is loaded, 0 to 100, while it is loading and says so.
             */
            progress_percent: number | null;
            /**
             * Format: int32
             * @description Models it has, or had when it was last heard of.
             */
            models: number;
            /**
             * Format: int32
             * @description Of those, in memory now.
             */
            models_loaded: number;
            /**
             * Format: int64
             * @description Bytes its models take in memory now, as far as is known.
             */
            memory_bytes: number | null;
            /** @description For admins only: which address, and what happened there. */
            admin_detail: string | null;
        };
        /**
         * @description By what usage is added up.
         * @enum {string}
         */
        UsageBy: "day" | "model" | "key" | "user";
        /** @description What was used by one model, key or user, or on one day. */
        UsageItem: {
            /** @description The day (`2026-11-27`), `provider/model`, or the id of the key or user; empty: none, and of the whole. */
            id: string;
            /** @description The name of the key or user, while it is there. */
            name: string | null;
            /**
             * Format: int64
             * @description Requests.
             */
            requests: number;
            /**
             * Format: int64
             * @description Tokens of prompts, cached ones included.
             */
            prompt_tokens: number;
            /**
             * Format: int64
             * @description Tokens of answers, reasoning included.
             */
            completion_tokens: number;
            /**
             * Format: int64
             * @description Of the prompts': taken from a cache.
             */
            cached_tokens: number;
            /**
             * Format: int64
             * @description Of the answers': spent on reasoning.
             */
            reasoning_tokens: number;
            /**
             * Format: double
             * @description What those requests cost whose cost is known, in US dollars; judges and every model asked on the way included.
             */
            cost_usd: number;
            /**
             * Format: int64
             * @description Requests whose cost is not known: a model without a price was asked.
             */
            unknown_cost: number;
            /**
             * Format: int64
             * @description Requests with a part that is an estimate: an answer that was cut, or a server that does not count.
             */
            estimated: number;
            /**
             * Format: int64
             * @description Requests answered on the operator's machines.
             */
            local: number;
            /**
             * Format: double
             * @description What those would have cost at the baseline, in US dollars.
             */
            would_have_cost_usd: number;
        };
        /** @description What was used, added up. */
        UsageReport: {
            /** @description The first day (`2026-11-01`, UTC). */
            from: string;
            /** @description The last day. */
            to: string;
            /** @description How it is added up. */
            by: components["schemas"]["UsageBy"];
            /** @description Is it everybody's? */
            everybody: boolean;
            /** @description The model at whose price answers of the operator's machines are held; null: none. */
            baseline: string | null;
            /** @description By day in order; else what cost most comes first. At most 1000. */
            items: components["schemas"]["UsageItem"][];
            /** @description All of it. */
            total: components["schemas"]["UsageItem"];
        };
        /** @description An account, as old clients know it, and its role. */
        User: {
            /** @description Names it. */
            id: string;
            /** @description The e-mail address; null in local mode. */
            email: string | null;
            /** @description What they are called. */
            name: string | null;
            /** @description What they may do. */
            role: components["schemas"]["Role"];
            /** @description Have they a password? Whoever came by a provider or a passkey may have none yet. */
            has_password: boolean;
        };
        /** @description Whether a token is good. */
        ValidAnswer: {
            /** @description Is it? */
            valid: boolean;
            user?: components["schemas"]["User"] | null;
        };
        /** @description One question that was asked about a text, and its answer. */
        Verdict: {
            /** @description What it is for. */
            concern: components["schemas"]["Concern"];
            /** @description What it is about. */
            about: components["schemas"]["About"];
            /** @description Which question of its set. */
            question: string;
            /** @description Of the options, the one with the most probability; for example a category of harm. Absent for yes and no. */
            choice?: string | null;
            /**
             * Format: double
             * @description P(safe), or P(correct and complete), among the valid options; absent when there is no verdict.
             */
            probability?: number | null;
            /**
             * Format: double
             * @description Probability on the valid options together. Below 0.5 there is no verdict.
             */
            mass: number;
            /** @description Who judged, `provider/model`. */
            model: string;
            /** @description How it was read. */
            backend: string;
            /** @description May it act? */
            authority: components["schemas"]["Authority"];
            /** @description Is the judge the model that answered? */
            self_judged: boolean;
            /** @description Hash of the question as asked, template included. */
            question_hash: string;
            /**
             * Format: int64
             * @description How long the answer took.
             */
            ms: number;
            /**
             * Format: int32
             * @description Tokens of the shared text taken from a cache.
             */
            cached_tokens: number;
            /**
             * Format: int32
             * @description Tokens of the shared text evaluated.
             */
            evaluated_tokens: number;
            /**
             * Format: int32
             * @description Tokens of the questions themselves.
             */
            question_tokens: number;
            /** @description Why there is no verdict: it failed, came too late, or could not be read. */
            failed?: string | null;
        };
        /**
         * @description How an answer is checked on its way to the reader.
         * @enum {string}
         */
        VerifyMode: "off" | "final" | "hold" | "optimistic";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    delete_account: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccountEnd"];
            };
        };
        responses: {
            /** @description Gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_account: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NameChange"];
            };
        };
        responses: {
            /** @description The account as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    export_account: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The archive. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/zip": number[];
                };
            };
            /** @description Refused; 429 while too many others take theirs. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_identities: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All of them. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["IdentityList"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    link_identity: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LinkBody"];
            };
        };
        responses: {
            /** @description Where the browser goes now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuthorizationUrl"];
                };
            };
            /** @description Linked. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused; 409 when it is linked already. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The provider does not answer. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    unlink_identity: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The way in. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PasswordBody"] | null;
            };
        };
        responses: {
            /** @description Taken away. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused; 409 for the last way in. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_passkeys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All of them. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasskeyList"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_passkey: {
        parameters: {
            query?: {
                /** @description `true`: also when nothing is left to sign in with. */
                even_the_last?: boolean;
            };
            header?: never;
            path: {
                /** @description The passkey. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Removed. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused; 409 for the last way to sign in. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_passkey: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The passkey. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasskeyName"];
            };
        };
        responses: {
            /** @description As it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Passkey"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    change_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description Set. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_sessions: {
        parameters: {
            query?: {
                /** @description `next_cursor` of the page before. */
                cursor?: string;
                /** @description 1–200 sign-ins; 50 when absent. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionPage"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    end_other_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How many were ended. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EndedAnswer"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    end_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The sign-in. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    send_verification_link: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Taken. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused; 409 where no mail is sent. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_checks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every check. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CheckList"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_attachment: {
        parameters: {
            query?: {
                /** @description The file's name; of a path, its last part is kept. */
                name?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": number[];
            };
        };
        responses: {
            /** @description The file as it is kept. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Attachment"];
                };
            };
            /** @description Refused; 413 over `attachments.bytes_each`. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_attachment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The file. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                    "image/png": number[];
                    "image/jpeg": number[];
                    "image/gif": number[];
                    "image/webp": number[];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_audit_events: {
        parameters: {
            query?: {
                /** @description `next_cursor` of the page before. */
                cursor?: string;
                /** @description 1–200 events; 50 when absent. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditPage"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    check_audit: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Whether all is as it was written. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditCheck"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_budgets: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every budget. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BudgetList"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    set_budget: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BudgetBody"];
            };
        };
        responses: {
            /** @description The budget. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BudgetState"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_budget: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The budget. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    answer_chat: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OllamaChatBody"];
            };
        };
        responses: {
            /** @description The answer, or its stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": components["schemas"]["OllamaAnswer"];
                    "application/json": components["schemas"]["OllamaAnswer"];
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
        };
    };
    create_chat_completion_api: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChatCompletionBody"];
            };
        };
        responses: {
            /** @description The answer, or its stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChatCompletion"];
                    "text/event-stream": {
                        event?: string;
                        id?: string;
                        data: "[DONE]" | string;
                    };
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    list_chats: {
        parameters: {
            query?: {
                /** @description `next_cursor` of the page before. */
                cursor?: string;
                /** @description 1–200 chats; 50 when absent. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChatPage"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_chat: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChatBody"];
            };
        };
        responses: {
            /** @description The chat. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Chat"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_chat: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The chat. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The chat. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Chat"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_chat: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The chat. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_chat: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The chat. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChatChange"];
            };
        };
        responses: {
            /** @description The chat as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Chat"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    restore_chat: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The chat. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The chat. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Chat"];
                };
            };
            /** @description Too late, or no such chat. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_turns: {
        parameters: {
            query?: {
                /** @description Only turns above this one. */
                before?: string;
                /** @description 1–200 turns; 30 when absent. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The chat. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TurnPage"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_turn: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The chat. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TurnBody"];
            };
        };
        responses: {
            /** @description Turn events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": {
                        event?: string;
                        id?: string;
                        data: string;
                    };
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Nobody can answer. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_costs: {
        parameters: {
            query?: {
                /** @description The month (`2026-11`, UTC); this one when absent. */
                month?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What it costs. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CostReport"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    embed_texts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OllamaEmbedBody"];
            };
        };
        responses: {
            /** @description The vectors. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaVectors"];
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
        };
    };
    generate_text: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OllamaGenerateBody"];
            };
        };
        responses: {
            /** @description The answer, or its stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": components["schemas"]["OllamaAnswer"];
                    "application/json": components["schemas"]["OllamaAnswer"];
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
        };
    };
    list_invitations: {
        parameters: {
            query?: {
                /** @description `next_cursor` of the page before. */
                cursor?: string;
                /** @description 1–200 invitations; 50 when absent. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InvitationPage"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_invitation: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["InvitationBody"];
            };
        };
        responses: {
            /** @description The link. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LinkMade"];
                };
            };
            /** @description Refused; 409 when the address has an account. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_invitation: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The invitation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Taken back. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_keys: {
        parameters: {
            query?: {
                /** @description `true`: the keys of everybody. For owners and admins. */
                everybody?: boolean;
                /** @description `next_cursor` of the page before. */
                cursor?: string;
                /** @description 1–200 keys; 50 when absent. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiKeyPage"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_key: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ApiKeyBody"];
            };
        };
        responses: {
            /** @description The key. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiKeyMade"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    revoke_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The key's `id`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The key as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiKey"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_provider_keys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description By provider. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProviderKeyList"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    set_provider_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The provider's id, for example `openai`. */
                provider: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProviderKeyBody"];
            };
        };
        responses: {
            /** @description It is kept. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProviderKeyState"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_provider_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The provider's id. */
                provider: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is forgotten. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_providers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All of them, also those without a key. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProviderList"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_provider: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The provider's id, for example `openai`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProviderChange"];
            };
        };
        responses: {
            /** @description What holds now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CloudState"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_provider: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The provider's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is forgotten. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    test_provider: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The provider's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How it is; also when it cannot be used. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CloudTest"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_running: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The models. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaModels"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
            /** @description No model server answers. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
        };
    };
    route_question: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DryRunBody"];
            };
        };
        responses: {
            /** @description What would happen. `nobody` says why nothing would. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DryRun"];
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    show_model: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OllamaModelName"];
            };
        };
        responses: {
            /** @description The model. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaModel"];
                };
            };
            /** @description Refused; an unknown model gets the nearest named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
            /** @description No model server answers. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
        };
    };
    get_status: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The state of everything. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SystemStatus"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_tags: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The models. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaModels"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
            /** @description No model server answers. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
        };
    };
    list_teams: {
        parameters: {
            query?: {
                /** @description `next_cursor` of the page before. */
                cursor?: string;
                /** @description 1–200 teams; 50 when absent. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TeamPage"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_team: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TeamBody"];
            };
        };
        responses: {
            /** @description The team. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Team"];
                };
            };
            /** @description Refused; 409 when there is one of that name. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_team: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The team. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ended. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_team: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The team. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TeamBody"];
            };
        };
        responses: {
            /** @description The team as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Team"];
                };
            };
            /** @description Refused; 409 when there is another of that name. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_team_members: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The team. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Who. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MembersAnswer"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    put_team_member: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The team. */
                id: string;
                /** @description The account. */
                user: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MemberBody"];
            };
        };
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused; 409 when the team is full. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_team_member: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The team. */
                id: string;
                /** @description The account. */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Out. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    report_telemetry: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PageReport"];
            };
        };
        responses: {
            /** @description Taken. Whether anybody is told is the operator's choice. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_turn: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The turn. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The turn. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Turn"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    edit_turn: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The turn. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TurnEdit"];
            };
        };
        responses: {
            /** @description Turn events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": {
                        event?: string;
                        id?: string;
                        data: string;
                    };
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Nobody can answer. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    follow_turn: {
        parameters: {
            query?: {
                /** @description Index of the last event seen; 0 or absent = from the start. */
                after?: number;
            };
            header?: {
                /** @description The same, as browsers send it; goes before `after`. */
                "Last-Event-ID"?: number | null;
            };
            path: {
                /** @description The turn. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Turn events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": {
                        event?: string;
                        id?: string;
                        data: string;
                    };
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_feedback: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The turn. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FeedbackBody"];
            };
        };
        responses: {
            /** @description All that is said of the turn now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Feedback"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    regenerate_turn: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The turn. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ModelChoice"];
            };
        };
        responses: {
            /** @description Turn events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": {
                        event?: string;
                        id?: string;
                        data: string;
                    };
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Nobody can answer. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stop_turn: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The turn. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The turn. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Turn"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_turn_trace: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The turn. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The trace. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trace"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_usage: {
        parameters: {
            query?: {
                /** @description By what it is added up; by day when absent. */
                by?: components["schemas"]["UsageBy"];
                /** @description The first day (`2026-11-01`, UTC); 29 days before the last when absent. */
                from?: string;
                /** @description The last day; today when absent. At most 400 days in all. */
                to?: string;
                /** @description `true`: what everybody used. For owners and admins. */
                everybody?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What was used. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsageReport"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    list_users: {
        parameters: {
            query?: {
                /** @description `next_cursor` of the page before. */
                cursor?: string;
                /** @description 1–200 accounts; 50 when absent. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccountPage"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_user: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The account. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Gone. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    update_user: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The account. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AccountChangeBody"];
            };
        };
        responses: {
            /** @description The account as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    create_reset_link: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The account. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The link. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LinkMade"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    end_user_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The account. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How many were ended. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EndedAnswer"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_version: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The version. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaVersion"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OllamaError"];
                };
            };
        };
    };
    send_reset_link: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AddressBody"];
            };
        };
        responses: {
            /** @description Taken. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DoneAnswer"];
                };
            };
            /** @description Refused; 409 where no mail is sent. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    sign_in_with_google: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["IdTokenBody"];
            };
        };
        responses: {
            /** @description Signed in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInAnswer"];
                };
            };
            /** @description Refused; 401 for a token that is not good, 403 for somebody nobody invited. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
            /** @description Google does not answer. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    return_from_google: {
        parameters: {
            query?: {
                /** @description As it went there. */
                state?: string;
                /** @description To be exchanged at Google. */
                code?: string;
                /** @description What was refused there. */
                error?: string;
                /** @description Who sends back. */
                iss?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description To the page: signed in with a cookie, or with `error` in the address. */
            302: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    finish_google: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CallbackBody"];
            };
        };
        responses: {
            /** @description Signed in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInAnswer"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
            /** @description Google does not answer. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    get_google_url: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Where to. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuthorizationUrl"];
                };
            };
            /** @description Refused; 404 when Google is not configured. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
            /** @description Google does not answer. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    accept_invitation: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AcceptBody"];
            };
        };
        responses: {
            /** @description Signed in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInAnswer"];
                };
            };
            /** @description Refused; 403 when the link is not good, 409 when the address has an account. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    look_at_link: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenBody"];
            };
        };
        responses: {
            /** @description What it is good for. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LinkAnswer"];
                };
            };
            /** @description Refused; 403 when it is not good. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    sign_in: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignInBody"];
            };
        };
        responses: {
            /** @description Signed in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInAnswer"];
                };
            };
            /** @description Refused; 401 for a wrong address or password, 429 after too many. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    sign_out: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Signed out. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DoneAnswer"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    get_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Who. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description Refused; 401 when nobody is. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    return_from_provider: {
        parameters: {
            query?: {
                /** @description As it went there. */
                state?: string;
                /** @description To be exchanged at the provider. */
                code?: string;
                /** @description What was refused there. */
                error?: string;
                /** @description Who sends back. */
                iss?: string;
            };
            header?: never;
            path: {
                /** @description As `/auth/state` names it. */
                provider: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description To the page: signed in with a cookie, or with `error` in the address. */
            302: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_provider_url: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description As `/auth/state` names it. */
                provider: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Where to. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuthorizationUrl"];
                };
            };
            /** @description Refused; 404 for one that is not configured. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
            /** @description The provider does not answer. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    begin_passkey_sign_in: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What the authenticator is asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasskeyCeremony"];
                };
            };
            /** @description Refused; 409 where there can be no passkeys, 429 after too many. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    sign_in_with_passkey: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasskeySignInBody"];
            };
        };
        responses: {
            /** @description Signed in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInAnswer"];
                };
            };
            /** @description Refused; 401 when the passkey lets nobody in, 429 after too many. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    begin_passkey: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasskeyBegin"];
            };
        };
        responses: {
            /** @description What the authenticator is asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasskeyCeremony"];
                };
            };
            /** @description Refused; 409 where there can be no passkeys. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    finish_passkey: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasskeyBody"];
            };
        };
        responses: {
            /** @description Kept. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Passkey"];
                };
            };
            /** @description Refused; 422 when the answer is not right. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    refresh_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RefreshBody"];
            };
        };
        responses: {
            /** @description New tokens. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInAnswer"];
                };
            };
            /** @description Refused; 401 when it is not good any more. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    register_account: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RegisterBody"];
            };
        };
        responses: {
            /** @description Signed in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInAnswer"];
                };
            };
            /** @description The address has an account. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
            /** @description Refused; 403 while registration is closed. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    reset_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ResetBody"];
            };
        };
        responses: {
            /** @description Set. Now sign in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DoneAnswer"];
                };
            };
            /** @description Refused; 403 when the link is not good. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    create_first_account: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetupBody"];
            };
        };
        responses: {
            /** @description Signed in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInAnswer"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    get_sign_in_state: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description How things stand. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInState"];
                };
            };
        };
    };
    sign_in_with_supabase: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenBody"];
            };
        };
        responses: {
            /** @description Signed in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignInAnswer"];
                };
            };
            /** @description Refused; 401 for a token that is not good, 404 when Supabase is not configured. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
            /** @description Supabase does not answer. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    validate_token: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenBody"];
            };
        };
        responses: {
            /** @description Whether it is good. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ValidAnswer"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    verify_email: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenBody"];
            };
        };
        responses: {
            /** @description Noted. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DoneAnswer"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    create_chat_completion_legacy: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChatCompletionBody"];
            };
        };
        responses: {
            /** @description The answer, or its stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChatCompletion"];
                    "text/event-stream": {
                        event?: string;
                        id?: string;
                        data: "[DONE]" | string;
                    };
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    get_health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ready. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthBody"];
                };
            };
            /** @description Shutting down, or the database is away. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    get_all_health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Every check. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AllHealth"];
                };
            };
        };
    };
    get_liveness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Alive. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HealthBody"];
                };
            };
        };
    };
    get_metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Prometheus text. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LegacyError"];
                };
            };
        };
    };
    get_openapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OpenAPI 3.1. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
        };
    };
    create_chat_completion: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChatCompletionBody"];
            };
        };
        responses: {
            /** @description The answer, or its stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChatCompletion"];
                    "text/event-stream": {
                        event?: string;
                        id?: string;
                        data: "[DONE]" | string;
                    };
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
    create_completion: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CompletionBody"];
            };
        };
        responses: {
            /** @description The answer, or its stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Completion"];
                    "text/event-stream": {
                        event?: string;
                        id?: string;
                        data: "[DONE]" | string;
                    };
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
    create_embeddings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmbeddingsBody"];
            };
        };
        responses: {
            /** @description The vectors. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Embeddings"];
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
    create_message: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MessageBody"];
            };
        };
        responses: {
            /** @description The answer, or its stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MessageAnswer"];
                    "text/event-stream": {
                        event?: string;
                        id?: string;
                        data: string;
                    };
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AnthropicError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AnthropicError"];
                };
            };
        };
    };
    count_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CountBody"];
            };
        };
        responses: {
            /** @description The count. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokensCounted"];
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AnthropicError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AnthropicError"];
                };
            };
        };
    };
    list_models: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The models. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelList"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
    get_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description A model's id, for example `engine/smollm2-135m-instruct`. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The model. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelObject"];
                };
            };
            /** @description There is none of this name; the nearest is named. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
    create_response: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ResponseBody"];
            };
        };
        responses: {
            /** @description The response, or its events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResponseObject"];
                    "text/event-stream": {
                        event?: string;
                        id?: string;
                        data: string;
                    };
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
    get_response: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The response. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The response. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResponseObject"];
                };
            };
            /** @description Refused, or not there: not kept, another's, or too old. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
    delete_response: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The response. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResponseDeleted"];
                };
            };
            /** @description Refused, or not there. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
    list_input_items: {
        parameters: {
            query?: {
                /** @description The items that follow this one, by its id. */
                after?: string;
                /** @description 1–100 items; 20 when absent. */
                limit?: number;
                /** @description `desc`, newest first, which is the default; or `asc`. */
                order?: string;
            };
            header?: never;
            path: {
                /** @description The response. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InputItems"];
                };
            };
            /** @description Refused, or not there. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
    decide_questions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SystemOneBody"];
            };
        };
        responses: {
            /** @description An answer for each question. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SystemOneAnswers"];
                };
            };
            /** @description Refused; the field at fault is named. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SystemOneError"];
                };
            };
            /** @description Failed; what was tried is said. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SystemOneError"];
                };
            };
        };
    };
    list_traces: {
        parameters: {
            query?: {
                /** @description `next_cursor` of the page before. */
                cursor?: string;
                /** @description 1–200 traces; 30 when absent. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TracePage"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
    get_trace: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The trace, as `goblin.trace_id` and `x-goblin-trace-id` name it. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The trace. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trace"];
                };
            };
            /** @description Refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenAiError"];
                };
            };
        };
    };
}
