//! The German texts.

use std::borrow::Cow::Borrowed;

use super::Texts;

pub(super) const TEXTS: Texts = Texts {
    language: Borrowed("de"),
    months: Borrowed(
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    ),
    date: Borrowed("{day}. {month} {year}"),
    few_seconds: Borrowed("einigen Sekunden"),
    seconds: Borrowed("{count} Sekunden"),
    minutes: Borrowed("{count} Minuten"),
    quoted: Borrowed("„{name}“"),
    title: Borrowed("{title} · {service}"),
    error_title: Borrowed("Fehler: {title}"),
    support: Borrowed("Hilfe"),

    sign_in: Borrowed("Anmelden"),
    sign_in_for: Borrowed("um mit {app} fortzufahren"),
    sign_in_for_account: Borrowed("um zu sehen, welche Apps Zugriff haben"),
    username: Borrowed("Benutzername"),
    password: Borrowed("Passwort"),
    wrong_credentials: Borrowed("Der Benutzername oder das Passwort ist falsch."),
    sign_in_throttled: Borrowed("Das waren zu viele Versuche. Versuche es in {wait} wieder."),
    sign_in_unavailable: Borrowed(
        "Im Moment kann sich niemand anmelden. Versuche es in {wait} wieder.",
    ),
    personas: Borrowed("Wer bist du?"),
    personas_note: Borrowed(
        "Nur für die Entwicklung: Wer diese Seite erreicht, kann sich anmelden.",
    ),
    sign_in_as: Borrowed("Als {user} anmelden"),
    or_password: Borrowed("Oder mit einem Passwort, das wieder der Benutzername ist"),

    consent_title: Borrowed("Zugriff erlauben?"),
    consent_heading: Borrowed("{app} möchte Zugriff"),
    consent_intro: Borrowed("Die App möchte {resource} in deinem Namen benutzen."),
    unnamed_app: Borrowed("Eine App ohne Namen"),
    app: Borrowed("App"),
    name_unverified: Borrowed("Den Namen hat die App selbst gewählt. Niemand hat ihn geprüft."),
    name_of_website: Borrowed("Es ist die App von {host}. Den Namen hat sie selbst gewählt."),
    name_configured: Borrowed("Sie wurde vom Betreiber dieses Dienstes eingerichtet."),
    name_mixed: Borrowed(
        "Ihr Name mischt Buchstaben mehrerer Alphabete, wie Namen, die einen anderen nachahmen.",
    ),
    access_to: Borrowed("Zugriff auf"),
    permissions: Borrowed("Wenn du es erlaubst, kann sie"),
    sends_to: Borrowed("Leitet dich zu"),
    sends_to_app: Borrowed("einer App, die {scheme}-Links öffnet"),
    signed_in_as: Borrowed("Angemeldet als"),
    signs_in_at: Borrowed("Als Nächstes meldest du dich an bei"),
    not_you: Borrowed("Jemand anderes? Abmelden"),
    warning: Borrowed("Warnung"),
    warning_loopback: Borrowed(
        "Der Zugriff geht an ein Programm auf diesem Computer. Erlaube es nur, wenn du es gerade selbst gestartet hast.",
    ),
    warning_app: Borrowed(
        "Der Zugriff geht an irgendeine App auf diesem Gerät, die {scheme}-Links öffnet. Erlaube es nur, wenn du aus dieser App kommst.",
    ),
    warning_foreign: Borrowed(
        "Der Zugriff geht an {place} und nicht an {host}, dessen App das ist.",
    ),
    warning_letters: Borrowed(
        "Das „xn--“ in einer Adresse hier steht für Buchstaben außerhalb von a bis z. Manche ahmen so eine andere Adresse nach.",
    ),
    technical: Borrowed("Technische Angaben"),
    client_id: Borrowed("Kennung der App"),
    website: Borrowed("Website nach Angabe der App"),
    resource_url: Borrowed("Adresse des Dienstes"),
    redirect_uri: Borrowed("Adresse für die Antwort"),
    consent_note: Borrowed("Du kannst das unter {connections} jederzeit zurücknehmen."),
    approve: Borrowed("Erlauben"),
    deny: Borrowed("Ablehnen"),

    scope_none: Borrowed("In deinem Namen benutzen, was der Dienst für alle hat"),
    scope_openid: Borrowed("Wissen, dass du es bist"),
    scope_profile: Borrowed("Deinen Namen und dein Profil sehen"),
    scope_email: Borrowed("Deine E-Mail-Adresse sehen"),
    scope_read_user: Borrowed("Deine Benutzerdaten lesen"),
    scope_write_user: Borrowed("Deine Benutzerdaten ändern"),
    scope_offline_access: Borrowed("Den Zugriff behalten, bis du ihn zurücknimmst"),

    connections: Borrowed("Meine Verbindungen"),
    connections_intro: Borrowed("Diese Apps können den Dienst in deinem Namen benutzen."),
    no_connections: Borrowed("Keine App hat Zugriff."),
    granted_on: Borrowed("Seit {date}"),
    used_on: Borrowed("Zuletzt benutzt am {date}"),
    never_used: Borrowed("Noch nicht benutzt"),
    remove: Borrowed("Zugriff entziehen"),
    remove_of: Borrowed("Zugriff entziehen: {app} auf {resource}"),
    remove_all: Borrowed("{app} jeden Zugriff entziehen"),
    removed: Borrowed("Der Zugriff ist entzogen. Die App muss dich neu fragen."),
    more: Borrowed("Weitere Verbindungen"),
    sign_out: Borrowed("Abmelden"),
    signed_out: Borrowed("Du bist abgemeldet"),
    signed_out_text: Borrowed(
        "Apps, denen du Zugriff gegeben hast, behalten ihn. Um ihn zurückzunehmen, melde dich an und öffne „Meine Verbindungen“.",
    ),
    sign_in_again: Borrowed("Wieder anmelden"),

    unknown_client: Borrowed("Diese App ist hier nicht bekannt"),
    unknown_client_text: Borrowed(
        "Die App, von der du kommst, ist bei diesem Dienst nicht oder nicht mehr registriert.",
    ),
    unknown_client_advice: Borrowed(
        "Entferne die Verbindung in der App und richte sie neu ein. Die App registriert sich dann neu.",
    ),
    untrusted_redirect: Borrowed("Dieser App kann nicht geantwortet werden"),
    untrusted_redirect_text: Borrowed(
        "Sie will ihre Antwort an eine Adresse, die sie nicht benutzen darf.",
    ),
    untrusted_redirect_advice: Borrowed(
        "Aktualisiere die App, oder entferne die Verbindung und richte sie neu ein. Hilft das nicht, sage es dem Hersteller der App.",
    ),
    bad_request: Borrowed("Diese Anfrage kann nicht beantwortet werden"),
    bad_request_text: Borrowed(
        "Was die App geschickt hat, ist unvollständig, oder sie will etwas, das es hier nicht gibt.",
    ),
    bad_request_advice: Borrowed(
        "Gehe zur App zurück und versuche es noch einmal. Hilft das nicht, sage es dem Hersteller der App.",
    ),
    expired: Borrowed("Diese Seite ist zu alt"),
    expired_text: Borrowed(
        "Sie war zu lange offen, oder ihre Adresse wurde unvollständig kopiert.",
    ),
    expired_advice: Borrowed("Gehe zur App zurück und beginne von vorn."),
    other_browser: Borrowed("Das hat nicht in diesem Browser begonnen"),
    other_browser_text: Borrowed(
        "Du hast in einem anderen Browser begonnen, oder dein Browser hat ein Cookie dieses Dienstes nicht zurückgeschickt.",
    ),
    other_browser_advice: Borrowed(
        "Erlaube Cookies für diesen Dienst, gehe zur App zurück und beginne von vorn. Zeigt die App diese Seite in einem eigenen Fenster, lass sie stattdessen deinen Browser öffnen.",
    ),
    answered: Borrowed("Diese Frage ist schon beantwortet"),
    answered_text: Borrowed(
        "Du hast schon erlaubt oder abgelehnt, vielleicht in einem anderen Tab.",
    ),
    answered_advice: Borrowed("Gehe zur App zurück. Wartet sie noch immer, beginne dort von vorn."),
    forged: Borrowed("Das kam nicht von unserer Seite"),
    forged_text: Borrowed(
        "Das Formular kam von woanders, oder von jemandem, der vorher hier angemeldet war. Nichts wurde geändert.",
    ),
    forged_advice: Borrowed("Gehe zur App zurück und beginne von vorn."),
    changed: Borrowed("Die App hat sich inzwischen geändert"),
    changed_text: Borrowed(
        "Was dir gezeigt wurde, ist nicht, was die App jetzt sagt. Darum hat sie keinen Zugriff bekommen.",
    ),
    changed_advice: Borrowed("Gehe zur App zurück und beginne von vorn."),
    not_signed_in: Borrowed("Du bist nicht angemeldet"),
    not_signed_in_text: Borrowed(
        "Der Dienst, bei dem du dich anmeldest, hat nicht bestätigt, wer du bist.",
    ),
    not_signed_in_advice: Borrowed(
        "Beginne noch einmal. Hilft das nicht, wende dich an den Betreiber dieses Dienstes.",
    ),
    not_allowed: Borrowed("Dieses Konto ist nicht zugelassen"),
    not_allowed_text: Borrowed(
        "Du hast dich angemeldet, aber mit einem Konto, das diesen Dienst nicht nutzen darf.",
    ),
    not_allowed_advice: Borrowed(
        "Beginne in der App noch einmal und wähle ein anderes Konto, oder bitte den Betreiber dieses Dienstes um Zugang.",
    ),
    throttled: Borrowed("Zu viele Anfragen"),
    throttled_text: Borrowed("Sie kamen in kurzer Zeit aus deinem Netz."),
    throttled_advice: Borrowed("Versuche es in {wait} wieder."),
    unavailable: Borrowed("Im Moment nicht verfügbar"),
    unavailable_text: Borrowed("Ein Teil dieses Dienstes antwortet nicht. Nichts wurde geändert."),
    unavailable_advice: Borrowed("Versuche es in {wait} wieder."),
    internal: Borrowed("Hier ist etwas schiefgegangen"),
    internal_text: Borrowed("Der Fehler liegt bei uns, nicht bei dir."),
    internal_advice: Borrowed(
        "Versuche es noch einmal. Geschieht es wieder, nenne dem Betreiber dieses Dienstes den Code unten.",
    ),
    incident: Borrowed("Code für den Betreiber dieses Dienstes"),
    reason: Borrowed("Was der App gesagt wird"),
    return_to: Borrowed("Zurück zu {host}"),
    return_note: Borrowed(
        "Der Link führt zu {host}. Dass das ihre Adresse ist, sagt nur die App selbst.",
    ),
    return_to_app: Borrowed("Zurück zur App"),
    return_to_app_note: Borrowed(
        "Der Link öffnet irgendeine App auf diesem Gerät, die {scheme}-Links annimmt.",
    ),
    retry: Borrowed("Noch einmal versuchen"),
};
