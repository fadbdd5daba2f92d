package storage

// builtInTexts are the texts of an HTML package by language.
func builtInTexts() map[string]Texts {
	return map[string]Texts{english: textsEN(), "de": textsDE(), "fr": textsFR(), "es": textsES()}
}

func textsEN() Texts {
	return Texts{
		Title: "The data held about you", TitleFrom: "The data {from} holds about you",
		Intro:   "You asked which personal data is held about you. This is the answer: everything that was found, on pages you can read, search and print.",
		Private: "These pages need no internet connection and send nothing to anyone. Whoever can open this folder can read your data, so keep it in a safe place.",
		Unpack:  "If this page looks plain, unpack the whole ZIP file into a folder first, and open index.html there.",
		Skip:    "Skip to the content", Here: "You are here", Overview: "Overview",
		About: "About this package", Subject: "Found by", Requested: "You asked on", Created: "Put together on", Request: "Request number", Contact: "Questions",
		Found: "What was found", Nothing: "No data about you was found.", Collection: "Collection", Collections: "Collections", Categories: "Kinds of data", Entries: "Entries", Files: "Files", Note: "Note",
		Empty: "Searched, with nothing found", EmptyIntro: "These places were searched too. They hold nothing about you that this request is about.",
		Skipped: "Not searched", SkippedIntro: "These places were left out, for the reasons given.",
		Failed: "Could not be searched", FailedIntro: "Something went wrong here, so data may be missing. If you ask about it, give your request number.",
		Uncastable: "Values that could not be looked up here: {n}",
		Search:     "Search", SearchHint: "Words or parts of words. Capitals and accents make no difference.",
		SearchScript: "Searching needs JavaScript. Everything else works without it.",
		SearchLarge:  "There is too much here to search all at once. Open a collection: each of its pages can be searched on its own.",
		SearchPage:   "There is too much in this package to search all at once, so this searches the page you are on.",
		Searching:    "Searching: {n} of {total}", Results: "Found: {n}", NoResults: "Nothing found.", More: "Show more",
		Broken: "A part of the search is missing. Unpack the whole ZIP file and open it again.",
		Manual: "Looked up by people",
		Pages:  "Pages", First: "First", Previous: "Previous", Next: "Next", Last: "Last", AllPages: "All pages", Page: "Page {n}", GoTo: "Go to page", Go: "Go",
		Entry: "Entry {n}", Range: "Entries {first} to {last}", OfTotal: "of {total}",
		Null: "empty", Blank: "no text", Without: "nothing inside", True: "yes", False: "no", Unnamed: "no name", Long: "Show all {n} characters",
		Thousands: ",", Date: "{day} {month} {year}",
		Months: [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
		Identities: map[string]string{
			"email": "Email address", "phone": "Phone number", "phone_number": "Phone number", "name": "Name", "user_id": "User ID", "customer_id": "Customer number",
			"external_id": "Reference", "device_id": "Device ID", "fides_user_device_id": "Device ID", "ga_client_id": "Google Analytics client ID",
		},
	}
}

func textsDE() Texts {
	return Texts{
		Title: "Die über Sie gespeicherten Daten", TitleFrom: "Die Daten, die {from} über Sie gespeichert hat",
		Intro:   "Sie haben gefragt, welche personenbezogenen Daten über Sie gespeichert sind. Dies ist die Antwort: alles, was gefunden wurde, auf Seiten, die Sie lesen, durchsuchen und drucken können.",
		Private: "Diese Seiten brauchen keine Internetverbindung und senden niemandem etwas. Wer diesen Ordner öffnen kann, kann Ihre Daten lesen: Bewahren Sie ihn sicher auf.",
		Unpack:  "Wenn diese Seite schmucklos aussieht, entpacken Sie zuerst die ganze ZIP-Datei in einen Ordner und öffnen Sie dort index.html.",
		Skip:    "Zum Inhalt springen", Here: "Sie sind hier", Overview: "Übersicht",
		About: "Über dieses Paket", Subject: "Gefunden anhand von", Requested: "Angefragt am", Created: "Zusammengestellt am", Request: "Vorgangsnummer", Contact: "Fragen an",
		Found: "Was gefunden wurde", Nothing: "Es wurden keine Daten über Sie gefunden.", Collection: "Sammlung", Collections: "Sammlungen", Categories: "Arten von Daten", Entries: "Einträge", Files: "Dateien", Note: "Hinweis",
		Empty: "Durchsucht, nichts gefunden", EmptyIntro: "Auch diese Stellen wurden durchsucht. Sie enthalten nichts über Sie, das zu dieser Anfrage gehört.",
		Skipped: "Nicht durchsucht", SkippedIntro: "Diese Stellen wurden aus dem angegebenen Grund ausgelassen.",
		Failed: "Konnte nicht durchsucht werden", FailedIntro: "Hier ist etwas schiefgegangen, es können also Daten fehlen. Nennen Sie bei Rückfragen Ihre Vorgangsnummer.",
		Uncastable: "Werte, nach denen hier nicht gesucht werden konnte: {n}",
		Search:     "Suchen", SearchHint: "Wörter oder Teile von Wörtern. Groß- und Kleinschreibung und Akzente spielen keine Rolle.",
		SearchScript: "Die Suche braucht JavaScript. Alles andere geht auch ohne.",
		SearchLarge:  "Hier ist zu viel, um alles auf einmal zu durchsuchen. Öffnen Sie eine Sammlung: Jede ihrer Seiten lässt sich für sich durchsuchen.",
		SearchPage:   "Dieses Paket ist zu groß, um alles auf einmal zu durchsuchen; gesucht wird auf dieser Seite.",
		Searching:    "Suche läuft: {n} von {total}", Results: "Gefunden: {n}", NoResults: "Nichts gefunden.", More: "Mehr zeigen",
		Broken: "Ein Teil der Suche fehlt. Entpacken Sie die ganze ZIP-Datei und öffnen Sie sie erneut.",
		Manual: "Von Menschen nachgesehen",
		Pages:  "Seiten", First: "Erste", Previous: "Zurück", Next: "Weiter", Last: "Letzte", AllPages: "Alle Seiten", Page: "Seite {n}", GoTo: "Gehe zu Seite", Go: "Los",
		Entry: "Eintrag {n}", Range: "Einträge {first} bis {last}", OfTotal: "von {total}",
		Null: "leer", Blank: "kein Text", Without: "nichts darin", True: "ja", False: "nein", Unnamed: "ohne Namen", Long: "Alle {n} Zeichen zeigen",
		Thousands: ".", Date: "{day}. {month} {year}",
		Months: [12]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
		Identities: map[string]string{
			"email": "E-Mail-Adresse", "phone": "Telefonnummer", "phone_number": "Telefonnummer", "name": "Name", "user_id": "Benutzerkennung", "customer_id": "Kundennummer",
			"external_id": "Aktenzeichen", "device_id": "Gerätekennung", "fides_user_device_id": "Gerätekennung", "ga_client_id": "Google-Analytics-Kennung",
		},
	}
}

func textsFR() Texts {
	return Texts{
		Title: "Les données conservées à votre sujet", TitleFrom: "Les données que {from} conserve à votre sujet",
		Intro:   "Vous avez demandé quelles données personnelles sont conservées à votre sujet. Voici la réponse : tout ce qui a été trouvé, sur des pages que vous pouvez lire, parcourir et imprimer.",
		Private: "Ces pages fonctionnent sans connexion et n’envoient rien à personne. Toute personne qui peut ouvrir ce dossier peut lire vos données : gardez-le en lieu sûr.",
		Unpack:  "Si cette page semble sans mise en forme, décompressez d’abord tout le fichier ZIP dans un dossier, puis ouvrez-y index.html.",
		Skip:    "Aller au contenu", Here: "Vous êtes ici", Overview: "Sommaire",
		About: "À propos de ce dossier", Subject: "Trouvées à partir de", Requested: "Demandé le", Created: "Préparé le", Request: "Numéro de demande", Contact: "Questions",
		Found: "Ce qui a été trouvé", Nothing: "Aucune donnée à votre sujet n’a été trouvée.", Collection: "Ensemble", Collections: "Ensembles", Categories: "Types de données", Entries: "Entrées", Files: "Fichiers", Note: "Remarque",
		Empty: "Parcouru, rien trouvé", EmptyIntro: "Ces endroits ont aussi été parcourus. Ils ne contiennent rien à votre sujet qui concerne cette demande.",
		Skipped: "Non parcouru", SkippedIntro: "Ces endroits ont été laissés de côté pour les raisons indiquées.",
		Failed: "N’a pas pu être parcouru", FailedIntro: "Un problème est survenu ici : des données peuvent manquer. Pour toute question, indiquez votre numéro de demande.",
		Uncastable: "Valeurs qui n’ont pas pu être recherchées ici : {n}",
		Search:     "Rechercher", SearchHint: "Des mots ou des parties de mots. Les majuscules et les accents ne comptent pas.",
		SearchScript: "La recherche nécessite JavaScript. Tout le reste fonctionne sans.",
		SearchLarge:  "Il y a trop de données pour tout parcourir à la fois. Ouvrez un ensemble : chacune de ses pages peut être parcourue.",
		SearchPage:   "Ce dossier est trop volumineux pour être parcouru d’un coup ; la recherche porte sur cette page.",
		Searching:    "Recherche en cours : {n} sur {total}", Results: "Trouvé : {n}", NoResults: "Rien trouvé.", More: "Afficher plus",
		Broken: "Une partie de la recherche manque. Décompressez tout le fichier ZIP et ouvrez-le à nouveau.",
		Manual: "Recherché par des personnes",
		Pages:  "Pages", First: "Première", Previous: "Précédente", Next: "Suivante", Last: "Dernière", AllPages: "Toutes les pages", Page: "Page {n}", GoTo: "Aller à la page", Go: "Aller",
		Entry: "Entrée {n}", Range: "Entrées {first} à {last}", OfTotal: "sur {total}",
		Null: "vide", Blank: "aucun texte", Without: "sans contenu", True: "oui", False: "non", Unnamed: "sans nom", Long: "Afficher les {n} caractères",
		Thousands: "\u202f", Date: "{day} {month} {year}",
		Months: [12]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
		Identities: map[string]string{
			"email": "Adresse e-mail", "phone": "Numéro de téléphone", "phone_number": "Numéro de téléphone", "name": "Nom", "user_id": "Identifiant", "customer_id": "Numéro de client",
			"external_id": "Référence", "device_id": "Identifiant du terminal", "fides_user_device_id": "Identifiant du terminal", "ga_client_id": "Identifiant Google Analytics",
		},
	}
}

func textsES() Texts {
	return Texts{
		Title: "Los datos guardados sobre usted", TitleFrom: "Los datos que {from} guarda sobre usted",
		Intro:   "Usted preguntó qué datos personales se guardan sobre usted. Esta es la respuesta: todo lo que se encontró, en páginas que puede leer, consultar e imprimir.",
		Private: "Estas páginas no necesitan conexión y no envían nada a nadie. Quien pueda abrir esta carpeta puede leer sus datos: guárdela en un lugar seguro.",
		Unpack:  "Si esta página aparece sin formato, descomprima primero todo el archivo ZIP en una carpeta y abra allí index.html.",
		Skip:    "Ir al contenido", Here: "Está aquí", Overview: "Resumen",
		About: "Acerca de este paquete", Subject: "Encontrados a partir de", Requested: "Solicitado el", Created: "Preparado el", Request: "Número de solicitud", Contact: "Preguntas",
		Found: "Lo que se encontró", Nothing: "No se encontraron datos sobre usted.", Collection: "Conjunto", Collections: "Conjuntos", Categories: "Tipos de datos", Entries: "Entradas", Files: "Archivos", Note: "Nota",
		Empty: "Consultado, sin resultados", EmptyIntro: "Estos lugares también se consultaron. No contienen nada sobre usted que corresponda a esta solicitud.",
		Skipped: "No consultado", SkippedIntro: "Estos lugares se dejaron fuera por los motivos indicados.",
		Failed: "No se pudo consultar", FailedIntro: "Algo falló aquí, por lo que pueden faltar datos. Si tiene preguntas, indique su número de solicitud.",
		Uncastable: "Valores que no se pudieron buscar aquí: {n}",
		Search:     "Buscar", SearchHint: "Palabras o partes de palabras. Las mayúsculas y los acentos no importan.",
		SearchScript: "La búsqueda necesita JavaScript. Todo lo demás funciona sin él.",
		SearchLarge:  "Hay demasiado para buscar en todo a la vez. Abra un conjunto: cada una de sus páginas permite buscar en ella.",
		SearchPage:   "Este paquete es demasiado grande para buscar en todo a la vez; se busca en esta página.",
		Searching:    "Buscando: {n} de {total}", Results: "Resultados: {n}", NoResults: "No se encontró nada.", More: "Mostrar más",
		Broken: "Falta una parte de la búsqueda. Descomprima todo el archivo ZIP y ábralo de nuevo.",
		Manual: "Buscado por personas",
		Pages:  "Páginas", First: "Primera", Previous: "Anterior", Next: "Siguiente", Last: "Última", AllPages: "Todas las páginas", Page: "Página {n}", GoTo: "Ir a la página", Go: "Ir",
		Entry: "Entrada {n}", Range: "Entradas {first} a {last}", OfTotal: "de {total}",
		Null: "vacío", Blank: "ningún texto", Without: "sin contenido", True: "sí", False: "no", Unnamed: "sin nombre", Long: "Mostrar los {n} caracteres",
		Thousands: ".", Date: "{day} de {month} de {year}",
		Months: [12]string{"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"},
		Identities: map[string]string{
			"email": "Correo electrónico", "phone": "Teléfono", "phone_number": "Teléfono", "name": "Nombre", "user_id": "ID de usuario", "customer_id": "Número de cliente",
			"external_id": "Referencia", "device_id": "ID de dispositivo", "fides_user_device_id": "ID de dispositivo", "ga_client_id": "ID de Google Analytics",
		},
	}
}
